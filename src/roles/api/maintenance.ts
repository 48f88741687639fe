/** Builds maintenance: what takes back, offers again, ends and removes, and the gauges of the whole system. */
import { createGauges } from '../../maintenance/gauges.ts'
import { createMaintenance } from '../../maintenance/maintenance.ts'
import { createRetention } from '../../maintenance/retention.ts'
import type { Service } from '../../runtime/service.ts'
import type { Foundation } from './foundation.ts'

export function buildMaintenance({ config, db, log, queues }: Foundation): readonly Service[] {
  const { leaseSeconds, auditQuietSeconds: quietSeconds, resultTtlMs, taskRetentionMs } = config
  return [
    createMaintenance({ db, queues, leaseSeconds, quietSeconds, log }),
    createRetention({ db, resultTtlMs, taskRetentionMs, log }),
    createGauges({ db, queues, log }),
  ]
}
