/** Sends FAILED tasks round again by hand: their new state, their outbox rows and who did it are one commit. */
import { type Actor, clientOf, type Viewer } from '../../core/caller.ts'
import type { Queryable } from '../db.ts'
import { statement, uuid } from '../statement.ts'
import { history, TRAVEL } from './move.ts'

/** $1 tasks, $2 client or null, $3 actor, $4 request id, $5 reason. Attempts go on counting; charges begin at 0. */
const REDRIVE = statement({
  name: 'redrive',
  text: `
    with letter as materialized (
      select task_id from dead_letter
       where task_id = any($1::uuid[]) and ($2::text is null or client = $2)
       order by task_id for update
    ), opened as (
      delete from dead_letter d using letter where d.task_id = letter.task_id returning d.task_id
    ), past as (
      delete from finished f using opened where f.task_id = opened.task_id and f.task_id = any($1::uuid[])
      returning f.*
    ), ${history('past', 'finished_at', 'clock_timestamp()')}, offered as (
      insert into unfinished (task_id, queue, status, attempt, due_at, offered_at)
      select p.task_id, t.queue, 'PENDING', p.attempt, clock_timestamp(), clock_timestamp()
        from past p join task t on t.id = p.task_id
      returning task_id, attempt, queue, 0::bigint as rung_ms, crashes, offered_at as at, due_at as due
    ), ${TRAVEL}, noted as (
      insert into operation (actor, action, task_id, request_id, reason)
      select $3, 'redrive', task_id, $4, $5 from offered
    )
    select task_id as id from offered`,
  row: { id: uuid() },
})

/** Sends FAILED tasks round again, and names those that went; tasks in another state stay as they are. */
export async function redriveTasks(
  db: Queryable,
  viewer: Viewer,
  ids: readonly string[],
  actor: Actor,
): Promise<string[]> {
  const client = clientOf(viewer)
  const rows = await db.query(REDRIVE, [ids, client, actor.name, actor.requestId, actor.reason])
  return rows.map(({ id }) => id)
}
