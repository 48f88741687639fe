/** Whether the clocks agree. */
import type { Db } from '../store/db.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const NOTICEABLE_MS = 2_000
const HARMFUL_MS = 60_000

/** A clock as it was read: what it said, and the local times between which it said so. */
export interface ClockReading {
  readonly saidMs: number
  readonly beforeMs: number
  readonly afterMs: number
  /** The step of the clock as it is told, in milliseconds: 1000 for an HTTP date. */
  readonly stepMs: number
}

/** Says how far a clock is ahead of ours for certain, in milliseconds; 0 when it may agree. */
export function certainSkewMs({ saidMs, beforeMs, afterMs, stepMs }: ClockReading): number {
  if (saidMs > afterMs) return saidMs - afterMs
  if (saidMs + stepMs < beforeMs) return saidMs + stepMs - beforeMs
  return 0
}

export async function readDatabaseClock(db: Db): Promise<ClockReading> {
  const beforeMs = Date.now()
  const saidMs = (await databaseTime(db)).getTime()
  return { saidMs, beforeMs, afterMs: Date.now(), stepMs: 1 }
}

/** Judges one clock against that of this process. @param whose such as `PostgreSQL` */
export function judgeClock(whose: string, reading: ClockReading): Finding {
  const skewMs = certainSkewMs(reading)
  const size = Math.abs(skewMs)
  if (size < NOTICEABLE_MS) return ok('clock', `the clock of ${whose} agrees with that of this process`)
  const what = `the clock of ${whose} is ${Math.round(size / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of this process`
  return (size < HARMFUL_MS ? warning : problem)('clock', what)
}
