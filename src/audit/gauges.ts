/** Measures the state of the whole system now and then, for the metrics: outbox and dead letters. */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { countDeadLetters } from '../store/health.ts'
import { outboxState } from '../store/outbox.ts'

export function createGauges({ db, log }: { db: Db; log: Log }): Service {
  const loop = createLoop({
    name: 'gauges',
    everyMs: 5_000,
    log,
    step: async () => {
      const { dueRows, oldestSeconds } = await outboxState(db)
      metrics.outboxRows.set(dueRows)
      metrics.outboxOldestSeconds.set(oldestSeconds)
      metrics.deadLetters.set(await countDeadLetters(db))
      return false
    },
  })
  return { name: 'gauges', start: loop.start, stop: loop.stop }
}
