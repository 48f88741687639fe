/**
 * How an attempt is told to stop. Its AbortSignal is made when the handler, or its transaction, first asks for it: with
 * its listeners and its event it was a tenth of the consumer's time, and most attempts end without it.
 */
import { Aborted } from 'nightshift-tasks'

/** What still runs after its attempt is told this. One for all: an error with its stack per attempt was 6 % of the time. */
const OVER = new Aborted('deadline')

export class Abort {
  #reason: Aborted | undefined
  #controller: AbortController | undefined
  #told: PromiseWithResolvers<never> | undefined

  /** Why the attempt was told to stop; undefined while it was not. */
  get reason(): Aborted | undefined {
    return this.#reason
  }

  /** Aborts with the reason, also when the attempt was told before this was first asked for. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Rejects with the reason, also when the attempt was told before; never settles otherwise. */
  get told(): Promise<never> {
    if (!this.#told) {
      this.#told = Promise.withResolvers()
      if (this.#reason) this.#told.reject(this.#reason)
    }
    return this.#told.promise
  }

  /** Tells the attempt to stop; only the first reason counts. */
  tell(why: Aborted): void {
    if (this.#reason) return
    this.#end(why)
    this.#told?.reject(why)
  }

  /** Stops whatever the attempt left running, once it is over; `told` says nothing of it. */
  over(): void {
    if (!this.#reason) this.#end(OVER)
  }

  #end(why: Aborted): void {
    this.#reason = why
    this.#controller?.abort(why)
  }
}
