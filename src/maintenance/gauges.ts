/** Measures the state of the whole system now and then, for the metrics: outbox, waiting tasks, consumers, dead letters. */
import type { Queues } from '../queues/queues.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { consumersAlive } from '../store/reads/consumers.ts'
import { countDeadLetters } from '../store/reads/dead-letters.ts'
import { oldestWaiting } from '../store/reads/queues.ts'

const SINGLE = [metrics.outboxRows, metrics.outboxOldestSeconds, metrics.consumersAlive, metrics.deadLetters]

export interface GaugesOptions {
  readonly db: Db
  /** Started before this service. */
  readonly queues: Queues
  readonly log: Log
}

export function createGauges({ db, queues, log }: GaugesOptions): Service {
  async function measure(): Promise<void> {
    const outbox = queues.outbox()
    if (outbox.state !== 'known') throw new Error(queues.databaseTrouble ?? 'the outbox is not known')
    metrics.outboxRows.set(outbox.value.dueRows)
    metrics.outboxOldestSeconds.set(outbox.value.oldestSeconds)
    metrics.consumersAlive.set((await consumersAlive(db)).length)
    metrics.deadLetters.set(await countDeadLetters(db))
    for (const { queue, seconds } of await oldestWaiting(db, queues.names))
      metrics.queueOldestSeconds.set({ queue }, seconds)
  }

  const loop = createLoop({
    name: 'gauges',
    everyMs: 5_000,
    log,
    step: async () => {
      try {
        await measure()
      } catch (error) {
        // A figure that is no longer measured is no figure: panels and alerts must not go by the last one.
        for (const gauge of SINGLE) gauge.remove()
        metrics.queueOldestSeconds.reset()
        throw error
      }
      return false
    },
  })
  return { name: 'gauges', start: loop.start, stop: loop.stop }
}
