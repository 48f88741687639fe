/**
 * Offers again what the broker lost. Waiting is not lost: a task is lost only when its queue has passed it by, that is,
 * the queue was empty for the quiet time, or a task that was offered twice the quiet time later has already begun.
 */
import type { Queues } from '../queues/queues.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Db } from '../store/db.ts'
import { newestBegun, reofferLost } from '../store/moves/reoffer.ts'

export interface LostTasksOptions {
  readonly db: Db
  readonly queues: Pick<Queues, 'names' | 'load'>
  readonly quietSeconds: number
  readonly mostPerStep: number
  readonly log: Log
}

export class LostTasks {
  readonly #options: LostTasksOptions
  /** Since when each queue has been seen empty at every look, in monotonic milliseconds. */
  readonly #emptySince = new Map<string, number>()

  constructor(options: LostTasksOptions) {
    this.#options = options
  }

  /** Goes once through all queues. @param answeredAt the database's time at `now`, in monotonic milliseconds */
  async step(answeredAt: Date, now: number): Promise<void> {
    const { db, queues } = this.#options
    const begun = await newestBegun(db)
    let unaccounted = 0
    for (const queue of queues.names) unaccounted += await this.#find(queue, begun.get(queue), answeredAt, now)
    metrics.unaccountedTasks.set(unaccounted)
  }

  /** Forgets what was seen: after a failure nothing counts as empty before it is seen empty again. */
  forget(): void {
    this.#emptySince.clear()
    metrics.unaccountedTasks.remove()
  }

  /** @param begun when the newest of its tasks that have begun was offered @returns how many may be left for the next step: this step's most, or 0 when it found fewer */
  async #find(queue: string, begun: Date | undefined, answeredAt: Date, now: number): Promise<number> {
    const { db, queues, quietSeconds, mostPerStep, log } = this.#options
    const load = queues.load(queue)
    // What is not known now cannot have passed anything by.
    if (load.state !== 'known') {
      this.#emptySince.delete(queue)
      return 0
    }
    // By the moment of the look: time that has passed since has shown nothing of the queue.
    const lookedAt = Math.min(load.at, now)
    if (load.value.ready > 0) this.#emptySince.delete(queue)
    else if (!this.#emptySince.has(queue)) this.#emptySince.set(queue, lookedAt)

    const quietMs = quietSeconds * 1_000
    const isQuiet = lookedAt - (this.#emptySince.get(queue) ?? lookedAt) >= quietMs
    const before = Math.max(
      isQuiet ? answeredAt.getTime() - (now - lookedAt) - quietMs : 0,
      begun === undefined ? 0 : begun.getTime() - 2 * quietMs,
    )
    if (before === 0) return 0
    const lost = await reofferLost(db, queue, new Date(before), quietSeconds, mostPerStep)
    if (lost.length > 0) {
      metrics.auditReoffered.inc({ cause: 'lost' }, lost.length)
      log.warn({ queue, tasks: lost.length, first: lost[0] }, 'tasks that the broker lost are offered again')
    }
    return lost.length === mostPerStep ? mostPerStep : 0
  }
}
