/** The first step: a delivery is decoded. What cannot be attempted here is set aside. */
import { decodeWakeUp } from '../core/message.ts'
import type { Handlers } from '../core/task-types.ts'
import type { Log } from '../runtime/log.ts'
import type { Db } from '../store/db.ts'
import { Aside } from './aside.ts'
import type { Attempt, Decoded } from './attempt.ts'

export interface DeliveriesOptions {
  readonly handlers: Handlers
  readonly db: Db
  readonly log: Log
  readonly draining: AbortSignal
}

export class Deliveries {
  readonly #handlers: Handlers
  readonly #aside: Aside

  constructor(options: DeliveriesOptions) {
    this.#handlers = options.handlers
    this.#aside = new Aside(options)
  }

  /** Gives the attempt with its wake-up; nothing when it was set aside. */
  decode(attempt: Attempt): Decoded | Promise<undefined> {
    const { body, taskName } = attempt.delivery
    const wakeUp = decodeWakeUp(body)
    if ('unreadable' in wakeUp) return this.#aside.keep(attempt, wakeUp.unreadable)
    if (taskName !== undefined && !this.#handlers.has(taskName)) return this.#aside.park(attempt, wakeUp)
    attempt.wakeUp = wakeUp
    return attempt as Decoded
  }
}
