/** Task ids: UUIDv7 by the database's clock, so that partitions, listings and retention agree across machines. */
import { v7 } from 'uuid'
import { randomBytes } from '../core/random.ts'
import type { Queryable } from './db.ts'
import { databaseTime } from './reads/database-time.ts'

export interface IdClock {
  /** Measures how far this machine's clock is off, correcting for half the round trip. */
  adjust(db: Queryable): Promise<void>
  /** Makes a new task id. */
  newId(): string
}

/** Makes a clock that follows the machine until it is first adjusted. */
export function createIdClock(): IdClock {
  let offsetMs = 0
  return {
    async adjust(db) {
      const before = Date.now()
      const there = (await databaseTime(db)).getTime()
      offsetMs = there - (before + Date.now()) / 2
    },
    newId: () => v7({ msecs: Math.round(Date.now() + offsetMs), random: randomBytes(16) }),
  }
}
