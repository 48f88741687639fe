// The measures by name.
import { batch } from './batch.ts'
import { brokerAway } from './broker-away.ts'
import { drain } from './drain.ts'
import { endToEnd } from './end-to-end.ts'
import { gateway } from './gateway.ts'
import { idle } from './idle.ts'
import type { Measure } from './measure.ts'
import type { MeasureName } from './names.ts'
import { openLoop } from './open-loop.ts'
import { tracing } from './tracing.ts'

export const MEASURE_BY_NAME: Readonly<Record<MeasureName, Measure>> = {
  'end-to-end': endToEnd,
  drain,
  gateway,
  idle,
  batch,
  'open-loop': openLoop,
  'broker-away': brokerAway,
  tracing,
}
