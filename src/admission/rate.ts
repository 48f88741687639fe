/** How often something happens, averaged over some seconds; an irregular beat counts by its own gaps. Pure. */

export interface Rate {
  /** Counts one at a moment, in monotonic milliseconds. */
  note(at: number): void
  /** Per second, as it stood when the last one was counted. */
  readonly last: number
  /** Per second, as it stands now that none came since. */
  now(at: number): number
}

export function createRate(averageOverMs: number): Rate {
  let last = 0
  let notedAt: number | undefined
  const decayed = (at: number): number => last * Math.exp(-(at - (notedAt ?? at)) / averageOverMs)
  return {
    // Each adds its part and time takes it away again: at a steady rate this settles at that rate.
    note(at) {
      last = decayed(at) + 1_000 / averageOverMs
      notedAt = at
    },
    get last() {
      return last
    },
    now: decayed,
  }
}
