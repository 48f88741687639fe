/** Offers tasks again whose message the broker lost. */
import type { Queryable } from '../db.ts'
import { neverNull, statement, text, time, uuid } from '../statement.ts'
import { NEEDS_MESSAGE, TRAVEL } from './move.ts'

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
         and not exists (select from outbox o where o.task_id = u.task_id) and ${NEEDS_MESSAGE}
       order by u.offered_at limit $4 for update of u skip locked
    ), offered as (
      update unfinished u set offered_at = clock_timestamp(), reoffers = u.reoffers + 1
        from lost where u.task_id = lost.task_id
      returning u.task_id, u.attempt, u.queue, u.crashes, 0::bigint as rung_ms, u.offered_at as at, u.offered_at as due
    ), ${TRAVEL}
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

/** By what consumers write with the renewal of their leases; a life that ended long ago says nothing new. */
const NEWEST_BEGUN = statement({
  name: 'newest_begun',
  text: `
    select queue, max(offered_at::timestamptz) as "offeredAt"
      from consumer, jsonb_each_text(newest_offered) as newest(queue, offered_at)
     where ended_at is null or ended_at > clock_timestamp() - interval '1 hour'
     group by queue`,
  row: { queue: neverNull(text()), offeredAt: neverNull(time()) },
})

/** Tells, per queue, when the newest of the tasks that have begun was offered: what was offered long before is lost. */
export async function newestBegun(db: Queryable): Promise<ReadonlyMap<string, Date>> {
  const rows = await db.query(NEWEST_BEGUN)
  return new Map(rows.map(({ queue, offeredAt }) => [queue, offeredAt]))
}
