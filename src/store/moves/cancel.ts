/** Cancels a task by hand: its end, its history and who did it are one commit. */
import { type Actor, clientOf, type Viewer } from '../../core/caller.ts'
import type { Status } from '../../core/states.ts'
import type { Queryable } from '../db.ts'
import { int, neverNull, nullable, statement, text, theRow } from '../statement.ts'
import { ends, moved } from './move.ts'

/** What became of one request to cancel or redrive. */
export type Operated = { readonly done: true } | { readonly done: false; readonly status: Status | undefined }

/**
 * $1 task, $2 client or null, $3 actor, $4 request id, $5 reason. Locks the row, so a settle under way decides first.
 * A RUNNING attempt is written to the history here; its consumer finds out by the next renewal of its lease.
 */
const CANCEL = statement({
  name: 'cancel',
  text: `
    with ${moved(
      { next: `'CANCELLED'`, outcome: `case when u.status = 'RUNNING' then 'cancelled' end` },
      `from unfinished u
        where u.task_id = $1
          and ($2::text is null or exists (select from task t where t.id = $1 and t.client = $2))
          for update of u`,
    )}, ${ends()}, noted as (
      insert into operation (actor, action, task_id, request_id, reason)
      select $3, 'cancel', task_id, $4, $5 from ended
    )
    select (select count(*) from ended)::int as done,
           (select f.status from finished f where f.task_id = $1
              and ($2::text is null or exists (select from task t where t.id = $1 and t.client = $2))) as status`,
  row: { done: neverNull(int()), status: nullable(text<Status>()) },
})

/** Cancels an unfinished task. Of a task that does not exist, or is another client's, the status is undefined. */
export async function cancelTask(db: Queryable, viewer: Viewer, id: string, actor: Actor): Promise<Operated> {
  const client = clientOf(viewer)
  const rows = await db.query(CANCEL, [id, client, actor.name, actor.requestId, actor.reason])
  const { done, status } = theRow(rows)
  return done === 1 ? { done: true } : { done: false, status: status ?? undefined }
}
