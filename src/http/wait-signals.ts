/** The signals that end the waits of calls: when the client has gone, and all of them when the server stops. */
import type { ServerResponse } from 'node:http'

export class WaitSignals {
  readonly #open = new Set<AbortController>()
  #isEnding = false

  /** Made when first asked for: most calls wait for nothing, and a signal with its listeners was 5 % of their time. */
  signalOf(response: ServerResponse): AbortSignal {
    const wait = new AbortController()
    this.#open.add(wait)
    const end = (): void => {
      this.#open.delete(wait)
      wait.abort()
    }
    if (this.#isEnding || response.closed) end()
    else response.once('close', end)
    return wait.signal
  }

  /** Ends all waits, and every later one at once. */
  endAll(): void {
    this.#isEnding = true
    for (const wait of this.#open) wait.abort()
  }
}
