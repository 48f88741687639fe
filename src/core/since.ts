/** Reads since when something is asked for: a moment, or how long ago, both bounded and never guessed. Pure. */
import { DURATION_PATTERN, parseDuration } from 'nightshift-tasks'

/** The moment that is meant, when it is now. */
export type Since = (now: Date) => Date

const LONGEST_AGO = '3650d'
const EARLIEST = Date.parse('2000-01-01T00:00:00Z')

export const SINCE_RULE = `must be a time with an offset from 2000 on, such as 2026-01-31T03:00:00Z or 2026-01-31T04:00:00+01:00, or how long ago, up to ${LONGEST_AGO}, such as 2h`

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Reads a text such as `2h` or `2026-01-31T03:00:00Z`. A date that does not exist, a time without offset and a number
 * without unit are none: what they were taken for would choose more than was meant.
 */
export function sinceOf(text: string): Since | undefined {
  if (DURATION_PATTERN.test(text)) {
    const ms = parseDuration(text)
    return ms <= parseDuration(LONGEST_AGO) ? (now) => new Date(now.getTime() - ms) : undefined
  }
  const at = momentOf(text)
  return at === undefined || at < EARLIEST ? undefined : () => new Date(at)
}

function momentOf(text: string): number | undefined {
  const [, year, month, day] = MOMENT.exec(text)?.map(Number) ?? []
  if (year === undefined || month === undefined || day === undefined) return undefined
  // Day 0 of the next month is the last one of this; Date.parse takes 30 February for 2 March.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}
