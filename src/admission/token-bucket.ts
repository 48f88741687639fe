/**
 * One client's token bucket for one queue: it fills at the client's share. Pure; times are monotonic milliseconds.
 *
 * A refused request reserves a moment for its retry, each a later one than the refusal before. So a client that obeys
 * finds its bucket filled when it retries, and its retries do not arrive all at once.
 */

/** How many seconds of its rate a client may use in one go. */
const BURST_SECONDS = 3
const LONGEST_WAIT_SECONDS = 300

export interface TokenBucket {
  /** Takes so many from the bucket if it has them, and says whether it had. */
  take(now: number, rate: number, count: number): boolean
  /** Refills the bucket and takes nothing: below the low mark no client spends its share. */
  refill(now: number, rate: number): void
  /** Reserves a retry for a refused request, in seconds from now: 1-300. */
  reserveRetry(now: number, rate: number): number
  /** How many more would be admitted now. */
  left(now: number, rate: number): number
  /** When this client last asked. */
  readonly lastAsked: number
}

export function createTokenBucket(): TokenBucket {
  let tokens: number | undefined
  let filledAt = 0
  let lastAsked = 0
  /** Up to when retries are reserved. */
  let reservedUntil = 0

  function refilled(now: number, rate: number): number {
    const most = Math.max(1, rate * BURST_SECONDS)
    tokens = tokens === undefined ? most : Math.min(most, tokens + ((now - filledAt) / 1_000) * rate)
    filledAt = now
    return tokens
  }

  return {
    take(now, rate, count) {
      lastAsked = now
      if (refilled(now, rate) < count) return false
      tokens = (tokens as number) - count
      return true
    },
    refill(now, rate) {
      lastAsked = now
      refilled(now, rate)
    },
    reserveRetry(now, rate) {
      reservedUntil = Math.min(Math.max(reservedUntil, now + 1_000) + 1_000 / rate, now + LONGEST_WAIT_SECONDS * 1_000)
      return (reservedUntil - now) / 1_000
    },
    left: (now, rate) => Math.floor(refilled(now, rate)),
    get lastAsked() {
      return lastAsked
    },
  }
}
