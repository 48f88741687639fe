/** Finds the tasks that an id of any kind leads to. */
import { clientOf, type Viewer } from '../../core/caller.ts'
import { isUuid } from '../../core/uuid.ts'
import type { Db } from '../db.ts'
import { neverNull, statement, texts, uuid } from '../statement.ts'
import { asViewer } from '../viewer.ts'

export const FOUND_BY = ['request_id', 'operation', 'task_id', 'trace_id', 'idempotency_key'] as const
export type FoundBy = (typeof FOUND_BY)[number]

export interface Found {
  /** Newest first; tasks that the viewer may not see can be among those found by a key. */
  readonly ids: readonly string[]
  readonly by: readonly FoundBy[]
  readonly more: boolean
}

/** Reads all matches before it sorts them: the other way round the planner may walk the primary key in search of one. */
const FIND = statement({
  name: 'find_story',
  text: `
    with found as materialized (
      select id, 'request_id' as by from task where request_id = $1
      union all select task_id, 'operation' from operation where request_id = $1
      union all select id, 'task_id' from task where id = $2::uuid
      union all select id, 'trace_id' from task where trace_id = $3
    )
    select id, array_agg(distinct by) as by from found group by id order by id desc limit $4`,
  row: { id: neverNull(uuid()), by: neverNull(texts<FoundBy>()) },
})

/** One step from client to client in the primary key, because it begins with the client. $1 keys, $2 client or null. */
const FIND_BY_KEY = statement({
  name: 'find_story_by_key',
  text: `
    with recursive clients as (
      (select client from idempotency where $2::text is null or client = $2 order by client limit 1)
      union all
      select (select i.client from idempotency i where i.client > c.client order by i.client limit 1)
        from clients c where c.client is not null and $2::text is null
    )
    select i.task_id as id
      from clients c cross join lateral (
        select task_id from idempotency where client = c.client and key = any($1::text[])) i
     order by id desc limit $3`,
  row: { id: uuid() },
})

const TRACE_ID = /^[0-9a-f]{32}$/i

/**
 * Finds tasks by request id (of the request that submitted, cancelled or redrove them), task id or trace id; by
 * idempotency key only when nothing else fits.
 *
 * @param keys the forms in which `id` may stand in the table of idempotency keys
 * @param atMost the newest so many
 */
export async function findTasks(
  db: Db,
  viewer: Viewer,
  id: string,
  keys: readonly string[],
  atMost: number,
): Promise<Found> {
  const values = [id, isUuid(id.toLowerCase()) ? id : null, TRACE_ID.test(id) ? id.toLowerCase() : null, atMost + 1]
  const rows = await asViewer(db, viewer, (reader) => reader.query(FIND, values))
  if (rows.length > 0) {
    const by = new Set(rows.flatMap((row) => row.by))
    const ids = rows.slice(0, atMost).map((row) => row.id)
    return { ids, by: FOUND_BY.filter((each) => by.has(each)), more: rows.length > atMost }
  }
  const client = clientOf(viewer)
  const byKey = await db.query(FIND_BY_KEY, [keys, client, atMost])
  return { ids: byKey.map((row) => row.id), by: byKey.length > 0 ? ['idempotency_key'] : [], more: false }
}
