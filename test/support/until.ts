// Waits for something to become true, instead of sleeping and hoping.
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'

type Nothing = false | undefined | null

/**
 * Calls `probe` until it returns something other than false, undefined or null, and returns that.
 * A probe that throws is asked again; when the time is up, the error names `what` and what was last seen.
 *
 * @param what  the rest of a sentence: "waited 20000 ms for <what>"
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | Nothing> | T | Nothing,
  { withinMs = 20_000, everyMs = 50 } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs
  while (true) {
    let seen: T | Nothing
    let cause: unknown
    try {
      seen = await probe()
      if (seen !== false && seen !== undefined && seen !== null) return seen
    } catch (error) {
      cause = error
    }
    if (performance.now() + everyMs > deadline) {
      const last = cause === undefined ? `last seen: ${inspect(seen)}` : `last error: ${cause}`
      throw new Error(`waited ${withinMs} ms for ${what}; ${last}`, cause === undefined ? {} : { cause })
    }
    await sleep(everyMs)
  }
}
