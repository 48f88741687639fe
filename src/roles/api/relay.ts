/** Builds the relay: the fast path that the gateway hands its commits to, the sweep, and the record of absences. */
import { createAbsenceRecorder } from '../../relay/absence-recorder.ts'
import { createRelay, type Relay } from '../../relay/relay.ts'
import type { Service } from '../../runtime/service.ts'
import type { Foundation } from './foundation.ts'

export interface BuiltRelay {
  readonly relay: Relay
  readonly services: readonly Service[]
}

export function buildRelay({ config, db, log, publisher }: Foundation): BuiltRelay {
  const relay = createRelay({ db, publisher, log })
  const { consumerName: process, taskRetentionMs: keptMs } = config
  return { relay, services: [relay, createAbsenceRecorder({ db, publisher: publisher.link, process, keptMs, log })] }
}
