/** Durations as people write them: a whole number and a unit, `500ms 10s 5m 2h 30d`. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Matches a duration as `parseDuration` reads it; for schemas of payloads. */
export const DURATION_PATTERN = /^(\d{1,12})(ms|s|m|h|d)$/

/**
 * Reads a duration such as `90s`.
 * @returns whole milliseconds, 0 or more
 * @throws RangeError naming the text when it is not a whole number followed by ms, s, m, h or d
 */
export function parseDuration(text: string): number {
  const match = DURATION_PATTERN.exec(text)
  if (!match)
    throw new RangeError(
      `"${text}" is not a duration: write a whole number and a unit, such as 500ms, 10s, 5m, 2h or 30d`,
    )
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}

/**
 * Reads a ladder: the waits before each retry, such as `['1s', '2m']`. Each rung is a queue of the broker.
 * @returns milliseconds, rung by rung
 * @throws RangeError when there are more than 16 rungs, or one is not from 100ms to 24h
 */
export function parseLadder(rungs: readonly string[]): number[] {
  if (rungs.length > 16) throw new RangeError('the ladder has more than 16 rungs')
  return rungs.map((text) => {
    const rungMs = parseDuration(text)
    if (rungMs < 100 || rungMs > 86_400_000) throw new RangeError('each rung must be from 100ms to 24h')
    return rungMs
  })
}
