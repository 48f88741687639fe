/** Measures the state of the whole system now and then, for the metrics: outbox, backlog, dead letters. */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { countDeadLetters } from '../store/health.ts'
import { outboxState } from '../store/outbox.ts'

/** @param readyOf the last known ready messages of a queue, 0 when not known */
export function createGauges({
  db,
  queues,
  readyOf,
  log,
}: {
  db: Db
  queues: readonly string[]
  readyOf: (queue: string) => number
  log: Log
}): Service {
  const loop = createLoop({
    name: 'gauges',
    everyMs: 5_000,
    log,
    step: async () => {
      const { dueRows, oldestSeconds, byQueue } = await outboxState(db)
      metrics.outboxRows.set(dueRows)
      metrics.outboxOldestSeconds.set(oldestSeconds)
      for (const queue of queues) metrics.backlog.set({ queue }, (byQueue[queue] ?? 0) + readyOf(queue))
      metrics.deadLetters.set(await countDeadLetters(db))
      return false
    },
  })
  return { name: 'gauges', start: loop.start, stop: loop.stop }
}
