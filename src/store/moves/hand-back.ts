/** Ends a consumer's life and hands back what it runs, uncharged. */
import type { Queryable } from '../db.ts'
import { statement, uuid } from '../statement.ts'
import { moved, offers } from './move.ts'

/** Why a life ended by its own hand; maintenance ends those that fell silent. */
export type EndOfLife = 'told_to_stop' | 'lease_lost'

/** $1 the life, $2 why. Whatever the table says it runs goes back uncharged, each with its outbox row; the lease is over. */
const END = statement({
  name: 'end_life',
  text: `
    with ended as (
      update consumer set ended_at = clock_timestamp(), ended_because = $2 where id = $1 and ended_at is null
    ), ${moved(
      { next: `'PENDING'`, outcome: `'handed_back'` },
      `from unfinished u where u.holder = $1 and u.status = 'RUNNING' order by u.task_id for update`,
    )}, ${offers()}
    select task_id as id from offered`,
  row: { id: uuid() },
})

/** Ends a life and hands back everything it runs, in one commit. Repeating it does nothing more. */
export async function endLife(db: Queryable, id: string, because: EndOfLife): Promise<string[]> {
  return (await db.query(END, [id, because])).map((row) => row.id)
}
