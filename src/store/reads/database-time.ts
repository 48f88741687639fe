/** What time it is by the database's clock. */
import type { Queryable } from '../db.ts'
import { neverNull, statement, theRow, time } from '../statement.ts'

const PING = statement({ name: 'ping', text: 'select clock_timestamp() as now', row: { now: neverNull(time()) } })

/** Asks the database for its time; fails within the query timeout when it is away. */
export async function databaseTime(db: Queryable): Promise<Date> {
  return theRow(await db.query(PING)).now
}
