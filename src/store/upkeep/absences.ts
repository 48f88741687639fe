/** When the broker could not be published to, as each api process saw it: one row for each time. */
import type { Queryable } from '../db.ts'
import { neverNull, statement, text } from '../statement.ts'

export interface Absence {
  /** What the api process is called. */
  readonly process: string
  readonly since: Date
  /** When it was seen last. */
  readonly until: Date
  /** away: no connection. blocked: the broker takes no messages, as it does when its memory or disk runs short. */
  readonly state: 'away' | 'blocked'
}

/** $1 process, $2 seconds since it began, $3 state, $4 milliseconds for which absences are kept. By the database's clock. */
const BEGIN = statement({
  name: 'begin_absence',
  text: `
    with forgotten as (
      delete from broker_absence where until < statement_timestamp() - $4::bigint * interval '1 ms'
    )
    insert into broker_absence (process, since, until, state)
    values ($1, clock_timestamp() - $2::float8 * interval '1 s', clock_timestamp(), $3)
    returning since::text`,
  row: { since: neverNull(text()) },
})

/**
 * Writes that an absence has begun, and forgets those that are too old to matter.
 * @returns its beginning as PostgreSQL writes it, exact to the microsecond, to name it by
 */
export async function beginAbsence(
  db: Queryable,
  absence: { readonly process: string; readonly secondsAgo: number; readonly state: Absence['state'] },
  keptMs: number,
): Promise<string> {
  const { process, secondsAgo, state } = absence
  const rows = await db.query(BEGIN, [process, secondsAgo, state, keptMs])
  return (rows[0] as { since: string }).since
}

const PROLONG = statement({
  name: 'prolong_absence',
  text: 'update broker_absence set until = clock_timestamp() where process = $1 and since = $2::timestamptz',
  row: {},
})

/** Writes that an absence still lasts, or lasted until now. */
export async function prolongAbsence(db: Queryable, process: string, since: string): Promise<void> {
  await db.query(PROLONG, [process, since])
}
