/** Ends waiting tasks whose `expiresAfter` has passed. */
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'
import { WHOSE, WHOSE_ROW, type Whose } from './whose.ts'

const EXPIRE = statement({
  name: 'expire',
  text: `
    with late as materialized (
      select u.*, clock_timestamp() as at,
             jsonb_build_object('name', 'Expired', 'message',
               'the task was not started before its expiresAfter had passed') as error
        from unfinished u
       where u.expires_at <= statement_timestamp() and u.status in ('PENDING', 'RETRYING')
       order by u.task_id limit $1 for update of u skip locked
    ), gone as (
      delete from unfinished u using late where u.task_id = late.task_id
    ), done as (
      insert into finished (task_id, status, attempt, failures, crashes, progress, finished_at)
      select task_id, 'FAILED', attempt, failures, crashes, progress, at from late
    ), whose as materialized (
      select l.*, t.name, ${WHOSE} from late l join task t on t.id = l.task_id
    ), letter as (
      insert into dead_letter (task_id, name, queue, client, failed_at, reason, error, fingerprint)
      select task_id, name, queue, client, at, 'expired', error, 'expired' from whose
    )
    select task_id as id, "requestId", "traceId", client, name from whose`,
  row: WHOSE_ROW,
})

/** Ends waiting tasks whose time has passed as FAILED, and names them. */
export async function expireTasks(db: Queryable, atMost: number): Promise<Whose[]> {
  return db.query(EXPIRE, [atMost])
}
