/** What is delivered and cannot be attempted here: kept to be looked at, or offered again later. Never lost. */
import type { WakeUp } from '../core/message.ts'
import type { Log } from '../runtime/log.ts'
import { pause } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { parkTasks } from '../store/moves/park.ts'
import { recordUnreadable } from '../store/upkeep/unreadable.ts'
import type { Attempt } from './attempt.ts'

export interface AsideOptions {
  readonly db: Db
  readonly log: Log
  readonly draining: AbortSignal
}

export const UNKNOWN_TASK_WAIT_MS = 30_000
/** When the database does not answer, the delivery goes back to its queue after this long. */
const GIVE_BACK_AFTER_MS = 1_000

export class Aside {
  readonly #options: AsideOptions

  constructor(options: AsideOptions) {
    this.#options = options
  }

  /** Keeps a message that cannot be understood, and refuses it. */
  async keep(attempt: Attempt, reason: string): Promise<undefined> {
    const { db, log } = this.#options
    const { queue, body } = attempt.delivery
    log.error({ queue, reason, bytes: body.length }, 'message cannot be understood')
    try {
      await recordUnreadable(db, queue, reason, body)
      attempt.answer = 'reject'
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'unreadable message not recorded, it is given back')
      await this.#giveBack(attempt)
    }
  }

  /** Offers again later, uncharged, a task that this version does not know, as during a deploy. */
  async park(attempt: Attempt, { id }: WakeUp): Promise<undefined> {
    const { db, log } = this.#options
    const { taskName } = attempt.delivery
    log.warn({ task_id: id, task: taskName, wait_ms: UNKNOWN_TASK_WAIT_MS }, 'no handler for this task, parked')
    try {
      await parkTasks(db, [id], UNKNOWN_TASK_WAIT_MS)
      attempt.answer = 'ack'
    } catch (error) {
      log.warn({ task_id: id, error: (error as Error).message }, 'task not parked, it is given back')
      await this.#giveBack(attempt)
    }
  }

  async #giveBack(attempt: Attempt): Promise<void> {
    await pause(GIVE_BACK_AFTER_MS, this.#options.draining)
    attempt.answer = 'requeue'
  }
}
