/**
 * The second step: an attempt waits for its turn. A task is attempted once at a time in a process: a second copy of its
 * message waits for the first to end, and then finds nothing to begin. The gate lets those in that must run alone.
 */
import type { Attempt, Decoded } from './attempt.ts'
import { createGate } from './gate.ts'

export interface TurnsOptions {
  readonly life: { readonly over: AbortSignal }
  readonly draining: AbortSignal
}

export class Turns {
  readonly #over: AbortSignal
  readonly #draining: AbortSignal
  readonly #gate = createGate()
  /** By task id the attempt that came last; each waits for the one before it. */
  readonly #last = new Map<string, Decoded>()
  readonly #stopWaiting = new WeakMap<AbortSignal, AbortSignal>()

  constructor({ life, draining }: TurnsOptions) {
    this.#over = life.over
    this.#draining = draining
  }

  /** Gives the attempt once it may go on; nothing when it must stop waiting, and goes back to the broker. */
  take(attempt: Decoded): Decoded | Promise<Decoded | undefined> {
    const { id, alone } = attempt.wakeUp
    // Asked and entered in one step: copies that arrive together must not all find the task free.
    const before = this.#last.get(id)
    this.#last.set(id, attempt)
    const stopWaiting = this.#stopWaitingOn(attempt.delivery.gone)
    if (before === undefined && !stopWaiting.aborted) {
      attempt.leaveGate = this.#gate.tryEnter(alone)
      if (attempt.leaveGate) return attempt
    }
    return this.#wait(attempt, before, stopWaiting)
  }

  /** Ends its turn, whether or not it came. */
  leave(attempt: Attempt): void {
    attempt.leaveGate?.()
    attempt.onLeft?.()
    if (attempt.wakeUp && this.#last.get(attempt.wakeUp.id) === attempt) this.#last.delete(attempt.wakeUp.id)
  }

  async #wait(attempt: Decoded, before: Attempt | undefined, stopWaiting: AbortSignal): Promise<Decoded | undefined> {
    if (before) {
      await new Promise<void>((resolve) => {
        before.onLeft = resolve
      })
    }
    try {
      attempt.leaveGate = await this.#gate.enter(attempt.wakeUp.alone, stopWaiting)
      return attempt
    } catch {
      attempt.answer = 'requeue'
      return undefined
    }
  }

  /** Aborts when a delivery of this channel may wait no longer. One for each channel: one per delivery was 8 % of the time. */
  #stopWaitingOn(gone: AbortSignal): AbortSignal {
    const known = this.#stopWaiting.get(gone)
    if (known) return known
    const made = AbortSignal.any([this.#over, this.#draining, gone])
    this.#stopWaiting.set(gone, made)
    return made
  }
}
