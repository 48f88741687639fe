/** Durations as people write them: a whole number and a unit, `500ms 10s 5m 2h 30d`. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

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

/** Writes milliseconds as seconds when they are whole seconds, else as milliseconds: `60s`, `1500ms`. */
export function durationLabel(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`
}
