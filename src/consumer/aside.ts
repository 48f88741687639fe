/** What is delivered and cannot be attempted here: kept to be looked at, or offered again later. Never lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from '../broker/delivery.ts'
import type { WakeUp } from '../core/message.ts'
import type { Log } from '../runtime/log.ts'
import type { Db } from '../store/db.ts'
import { parkTasks } from '../store/moves/park.ts'
import { recordUnreadable } from '../store/upkeep/unreadable.ts'

export interface AsideOptions {
  readonly db: Db
  readonly log: Log
  readonly draining: AbortSignal
}

export interface Aside {
  /** Keeps a message that cannot be understood, and refuses it. */
  keepUnreadable(delivery: Delivery, reason: string): Promise<void>
  /** Offers again later, uncharged, a task that this version does not know, as during a deploy. */
  park(delivery: Delivery, wakeUp: WakeUp): Promise<void>
}

export const UNKNOWN_TASK_WAIT_MS = 30_000

/** Makes both ways; when the database does not answer, the delivery goes back to its queue after a second. */
export function createAside({ db, log, draining }: AsideOptions): Aside {
  async function keepUnreadable(delivery: Delivery, reason: string): Promise<void> {
    log.error({ queue: delivery.queue, reason, bytes: delivery.body.length }, 'message cannot be understood')
    try {
      await recordUnreadable(db, delivery.queue, reason, delivery.body)
      delivery.reject()
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'unreadable message not recorded, it is given back')
      await sleep(1_000, undefined, { signal: draining }).catch(() => undefined)
      delivery.requeue()
    }
  }

  async function park(delivery: Delivery, wakeUp: WakeUp): Promise<void> {
    log.warn(
      { task_id: wakeUp.id, task: delivery.taskName, wait_ms: UNKNOWN_TASK_WAIT_MS },
      'no handler for this task, parked',
    )
    try {
      await parkTasks(db, [wakeUp.id], UNKNOWN_TASK_WAIT_MS)
      delivery.ack()
    } catch (error) {
      log.warn({ task_id: wakeUp.id, error: (error as Error).message }, 'task not parked, it is given back')
      await sleep(1_000, undefined, { signal: draining }).catch(() => undefined)
      delivery.requeue()
    }
  }

  return { keepUnreadable, park }
}
