/** Ends a consumer's life and hands back what it runs, uncharged. */
import { DEATHS_BEFORE_ALONE } from '../../core/retry.ts'
import type { Queryable } from '../db.ts'
import { statement, uuid } from '../statement.ts'

/** Why a life ended by its own hand; maintenance ends those that fell silent. */
export type EndOfLife = 'told_to_stop' | 'lease_lost'

/** $1 the life, $2 why. Whatever the table says it runs goes back uncharged, each with its outbox row; the lease is over. */
const END = statement({
  name: 'end_life',
  text: `
    with ended as (
      update consumer set ended_at = clock_timestamp(), ended_because = $2 where id = $1 and ended_at is null
    ), mine as materialized (
      select * from unfinished where holder = $1 and status = 'RUNNING' order by task_id for update
    ), history as (
      insert into attempt (task_id, attempt, consumer, started_at, ended_at, outcome, due_at, published_at, reoffers)
      select task_id, attempt, holder, started_at, clock_timestamp(), 'handed_back', due_at, published_at, reoffers
        from mine
    ), back as (
      update unfinished u
         set status = 'PENDING', holder = null, started_at = null, deadline_at = null,
             due_at = clock_timestamp(), offered_at = clock_timestamp(), reoffers = 0
        from mine where u.task_id = mine.task_id
    ), travel as (
      insert into outbox (task_id, attempt, queue, alone, created_at, due_at)
      select task_id, attempt + 1, queue, crashes >= ${DEATHS_BEFORE_ALONE}, clock_timestamp(), clock_timestamp() from mine
    )
    select task_id as id from mine`,
  row: { id: uuid() },
})

/** Ends a life and hands back everything it runs, in one commit. Repeating it does nothing more. */
export async function endLife(db: Queryable, id: string, because: EndOfLife): Promise<string[]> {
  return (await db.query(END, [id, because])).map((row) => row.id)
}
