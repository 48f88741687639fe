/**
 * How fast a queue is worked off, by what its consumers say they have begun. An idle queue shows how little came, not how
 * much could be done: so the average follows a rise within some two seconds, and a fall only within some fifteen.
 */

/** What one consumer life wrote down when it last renewed its lease. */
export interface Report {
  /** When it was written, and when the life began; milliseconds of one clock, whichever. */
  readonly writtenAt: number
  readonly bornAt: number
  /** Attempts begun since the life began. */
  readonly begun: number
}

export interface Drain {
  /** Takes the latest report of every consumer that lives. `at` in monotonic milliseconds. */
  read(at: number, reports: ReadonlyMap<string, Report>): void
  /** Attempts begun per second, or undefined before the first reading. */
  readonly perSecond: number | undefined
}

const RISES_OVER_MS = 2_000
const FALLS_OVER_MS = 15_000

export function createDrain(): Drain {
  let lives = new Map<string, Report & { readonly perSecond: number }>()
  let last: { readonly at: number; readonly perSecond: number } | undefined

  /** A life is looked at more often than it writes, so its pace is measured from report to report and holds in between. */
  function paceOf(life: string, report: Report): number {
    const before = lives.get(life) ?? { writtenAt: report.bornAt, begun: 0, perSecond: 0 }
    const elapsedMs = report.writtenAt - before.writtenAt
    return elapsedMs > 0 ? ((report.begun - before.begun) / elapsedMs) * 1_000 : before.perSecond
  }

  return {
    read(at, reports) {
      lives = new Map([...reports].map(([life, report]) => [life, { ...report, perSecond: paceOf(life, report) }]))
      const rate = [...lives.values()].reduce((sum, { perSecond }) => sum + perSecond, 0)
      const before = last ?? { at, perSecond: rate }
      const weight = 1 - Math.exp(-(at - before.at) / (rate > before.perSecond ? RISES_OVER_MS : FALLS_OVER_MS))
      last = { at, perSecond: before.perSecond * (1 - weight) + rate * weight }
    },
    get perSecond() {
      return last?.perSecond
    },
  }
}
