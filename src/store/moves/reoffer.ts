/** Offers tasks again whose message the broker lost. */
import { DEATHS_BEFORE_ALONE } from '../../core/retry.ts'
import type { Queryable } from '../db.ts'
import { neverNull, statement, text, time, uuid } from '../statement.ts'

/**
 * $1 queue, $2 offered before this, $3 seconds that a task must have waited since its last offer, doubling with each
 * re-offer; $4 at most so many rows. Uses index unfinished_offered.
 */
const REOFFER = statement({
  name: 'reoffer',
  text: `
    with lost as materialized (
      select u.task_id from unfinished u
       where u.queue = $1 and u.offered_at < $2::timestamptz and u.status in ('PENDING', 'RETRYING')
         and u.offered_at < statement_timestamp() - $3::int * power(2, least(u.reoffers, 10)) * interval '1 s'
         and not exists (select from outbox o where o.task_id = u.task_id)
       order by u.offered_at limit $4 for update of u skip locked
    ), offered as (
      update unfinished u set offered_at = clock_timestamp(), reoffers = u.reoffers + 1
        from lost where u.task_id = lost.task_id
      returning u.task_id, u.attempt, u.queue, u.crashes
    ), travel as (
      insert into outbox (task_id, attempt, queue, alone, created_at, due_at)
      select task_id, attempt + 1, queue, crashes >= ${DEATHS_BEFORE_ALONE}, clock_timestamp(), clock_timestamp()
        from offered
    )
    select task_id as id from offered`,
  row: { id: uuid() },
})

/** Offers again waiting tasks of a queue that has passed them by, and names them. */
export async function reofferLost(
  db: Queryable,
  queue: string,
  offeredBefore: Date,
  quietSeconds: number,
  atMost: number,
): Promise<string[]> {
  return (await db.query(REOFFER, [queue, offeredBefore, quietSeconds, atMost])).map(({ id }) => id)
}

const NEWEST_BEGUN = statement({
  name: 'newest_begun',
  text: `select queue, max(offered_at) as "offeredAt" from unfinished where status = 'RUNNING' group by queue`,
  row: { queue: text(), offeredAt: neverNull(time()) },
})

/**
 * Tells, per queue, when the newest of the tasks that are running was offered: what was offered long before is lost.
 * Reads every unfinished task, as `takeBack` does.
 */
export async function newestBegun(db: Queryable): Promise<ReadonlyMap<string, Date>> {
  const rows = await db.query(NEWEST_BEGUN)
  return new Map(rows.map(({ queue, offeredAt }) => [queue, offeredAt]))
}
