/** Puts waiting tasks off for a while, uncharged: nobody here can run them yet. */
import { DEATHS_BEFORE_ALONE } from '../../core/retry.ts'
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'

/** A row that is being published does not count: the message in hand is likely its own, and it goes with the confirm. */
const PARK = statement({
  name: 'park',
  text: `
    insert into outbox (task_id, attempt, queue, alone, created_at, due_at)
    select u.task_id, u.attempt + 1, u.queue, u.crashes >= ${DEATHS_BEFORE_ALONE}, clock_timestamp(),
           clock_timestamp() + $2::bigint * interval '1 ms'
      from unfinished u
     where u.task_id = any($1::uuid[]) and u.status <> 'RUNNING'
       and not exists (select from outbox o where o.task_id = u.task_id and o.claimed_until <= statement_timestamp())`,
  row: {},
})

/** Offers waiting tasks again after a while without charging an attempt; finished and running ones are left alone. */
export async function parkTasks(db: Queryable, ids: readonly string[], delayMs: number): Promise<void> {
  await db.query(PARK, [ids, delayMs])
}
