/** Puts waiting tasks off for a while, uncharged: nobody here can run them yet. */
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'
import { NEEDS_MESSAGE, TRAVEL } from './move.ts'

/** A row that is being published does not count: the message in hand is likely its own, and it goes with the confirm. */
const PARK = statement({
  name: 'park',
  text: `
    with offered as materialized (
      select u.task_id, u.attempt, u.queue, u.crashes, 0::bigint as rung_ms, clock_timestamp() as at,
             clock_timestamp() + $2::bigint * interval '1 ms' as due
        from unfinished u
       where u.task_id = any($1::uuid[]) and u.status <> 'RUNNING' and ${NEEDS_MESSAGE}
         and not exists (select from outbox o where o.task_id = u.task_id and o.claimed_until <= statement_timestamp())
    ), ${TRAVEL}
    select`,
  row: {},
})

/** Offers waiting tasks again after a while without charging an attempt; finished and running ones are left alone. */
export async function parkTasks(db: Queryable, ids: readonly string[], delayMs: number): Promise<void> {
  await db.query(PARK, [ids, delayMs])
}
