/** What time it is by the database's clock. */
import type { Queryable } from '../db.ts'

const PING = { name: 'ping', text: 'select clock_timestamp() as now' }

/** Asks the database for its time; fails within the query timeout when it is away. */
export async function databaseTime(db: Queryable): Promise<Date> {
  return (await db.query<{ now: Date }>(PING))[0]?.now as Date
}
