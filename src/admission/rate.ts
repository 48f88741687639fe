/** How often something happens, averaged over some seconds; an irregular beat counts by its own gaps. Pure. */

export interface Rate {
  /** Counts so many at a moment, in monotonic milliseconds. */
  note(at: number, count?: number): void
  /** Per second. */
  now(at: number): number
}

/** Before so much was seen, a first one would look like a flood. */
const LEAST_SEEN_MS = 1_000

export function createRate(averageOverMs: number): Rate {
  let sum = 0
  let notedAt: number | undefined
  let firstAt = 0
  const decayed = (at: number): number => sum * Math.exp(-(at - (notedAt ?? at)) / averageOverMs)
  return {
    // Each adds its part and time takes it away again: at a steady rate this settles at that rate.
    note(at, count = 1) {
      if (notedAt === undefined) firstAt = at
      sum = decayed(at) + (count * 1_000) / averageOverMs
      notedAt = at
    },
    // Divided by how much of the average the time since the first one fills, or whoever is new would seem to ask for little.
    now: (at) => decayed(at) / (1 - Math.exp(-Math.max(LEAST_SEEN_MS, at - firstAt) / averageOverMs)),
  }
}
