/**
 * How fast a queue is worked off, by what its consumers say they have begun. An idle queue shows how little came, not how
 * much could be done: so the average follows a rise within some two seconds, and a fall only within some fifteen.
 */

export interface Drain {
  /** Takes a reading: how many attempts each consumer life has begun since it began. Times in monotonic milliseconds. */
  read(at: number, begun: ReadonlyMap<string, number>): void
  /** Attempts begun per second, or undefined before the second reading. */
  readonly perSecond: number | undefined
}

const RISES_OVER_MS = 2_000
const FALLS_OVER_MS = 15_000

export function createDrain(): Drain {
  let last: { readonly at: number; readonly begun: ReadonlyMap<string, number> } | undefined
  let perSecond: number | undefined

  return {
    read(at, begun) {
      if (last) {
        let more = 0
        for (const [life, count] of begun) more += Math.max(0, count - (last.begun.get(life) ?? 0))
        const elapsedMs = Math.max(1, at - last.at)
        const rate = (more / elapsedMs) * 1_000
        const before = perSecond ?? rate
        const weight = 1 - Math.exp(-elapsedMs / (rate > before ? RISES_OVER_MS : FALLS_OVER_MS))
        perSecond = before * (1 - weight) + rate * weight
      }
      last = { at, begun }
    },
    get perSecond() {
      return perSecond
    },
  }
}
