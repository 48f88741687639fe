/** Ends waiting tasks whose `expiresAfter` has passed. */
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'
import { ends, LETTERS, moved } from './move.ts'
import { WHOSE, WHOSE_ROW, type Whose } from './whose.ts'

const EXPIRE = statement({
  name: 'expire',
  text: `
    with ${moved(
      {
        next: `'FAILED'`,
        reason: `'expired'`,
        fingerprint: `'expired'`,
        error: `jsonb_build_object('name', 'Expired', 'message',
                  'the task was not started before its expiresAfter had passed')`,
        name: 't.name',
        client: 't.client',
      },
      `from (select u.ctid, u.* from unfinished u
              where u.expires_at <= statement_timestamp() and u.status in ('PENDING', 'RETRYING')
              order by u.expires_at limit $1 for update skip locked) u join task t on t.id = u.task_id`,
    )}, ${ends()}, ${LETTERS}
    select t.id, t.name, ${WHOSE} from ended join task t on t.id = ended.task_id`,
  row: WHOSE_ROW,
})

/** Ends waiting tasks whose time has passed as FAILED, and names them. */
export async function expireTasks(db: Queryable, atMost: number): Promise<Whose[]> {
  return db.query(EXPIRE, [atMost])
}
