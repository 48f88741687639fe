/**
 * One client's share of one queue: a bucket that fills at the client's rate. Pure; times are monotonic milliseconds.
 *
 * A refused request is told when to come again, and each refusal is told a later time than the one before (it is a
 * place in a line). So a client that obeys finds its bucket filled when it comes, and does not come all at once.
 */

/** How many seconds of its rate a client may use in one go. */
const BURST_SECONDS = 3
const LONGEST_WAIT_SECONDS = 300

export interface Share {
  /** Takes one from the bucket if there is one, and says whether there was. */
  take(now: number, rate: number): boolean
  /** Lets the bucket fill and takes nothing: there was room for everybody, and who needed none of his share keeps it. */
  keep(now: number, rate: number): void
  /** Gives a refused request its place in line, in seconds from now: 1-300. */
  comeAgain(now: number, rate: number): number
  /** How many more would be let in now. */
  left(now: number, rate: number): number
  /** When this client last asked. */
  readonly lastAsked: number
}

export function createShare(): Share {
  let tokens: number | undefined
  let filledAt = 0
  let lastAsked = 0
  /** Until when the line of those who were told to come again reaches. */
  let lineEnds = 0

  function fill(now: number, rate: number): number {
    const most = Math.max(1, rate * BURST_SECONDS)
    tokens = tokens === undefined ? most : Math.min(most, tokens + ((now - filledAt) / 1_000) * rate)
    filledAt = now
    return tokens
  }

  return {
    take(now, rate) {
      lastAsked = now
      if (fill(now, rate) < 1) return false
      tokens = (tokens as number) - 1
      return true
    },
    keep(now, rate) {
      lastAsked = now
      fill(now, rate)
    },
    comeAgain(now, rate) {
      lineEnds = Math.min(Math.max(lineEnds, now + 1_000) + 1_000 / rate, now + LONGEST_WAIT_SECONDS * 1_000)
      return (lineEnds - now) / 1_000
    },
    left: (now, rate) => Math.floor(fill(now, rate)),
    get lastAsked() {
      return lastAsked
    },
  }
}
