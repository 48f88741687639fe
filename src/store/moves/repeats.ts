/** Finds the tasks that were accepted earlier under the keys that a batch brings, and how each of them stands now. */
import type { NewTask } from '../../core/new-task.ts'
import type { Status } from '../../core/states.ts'
import type { Queryable } from '../db.ts'
import { bool, neverNull, nullable, statement, text, uuid } from '../statement.ts'

/** A repeat of a task that was accepted earlier, and how that stands now. */
export interface Replayed {
  readonly kind: 'replayed'
  readonly id: string
  readonly requestId: string
  readonly traceId: string
  readonly status: Status
  /** The broker has confirmed its message: none waits in the outbox. False where that is not asked for. */
  readonly isConfirmed: boolean
}

/** It alone could not be accepted, or not told about. */
export interface Failed {
  readonly kind: 'failed'
  readonly error: unknown
}

/**
 * Kept out of ACCEPT: joining the partitioned table there would open every partition for every batch. $2 whether to look
 * into the outbox, which is read whole for it: only where the client is told.
 */
const REPLAYED = statement({
  name: 'replayed',
  text: `
    select t.id, t.request_id as "requestId", t.trace_id as "traceId", coalesce(u.status, f.status) as status,
           $2::boolean and not exists (select from outbox o where o.task_id = t.id) as "isConfirmed"
      from task t
      left join lateral (select status from unfinished where task_id = t.id offset 0) u on true
      left join lateral (select status from finished where task_id = t.id offset 0) f on true
     where t.id = any($1)`,
  row: {
    id: uuid(),
    requestId: text(),
    traceId: text(),
    status: neverNull(text<Status>()),
    isConfirmed: neverNull(bool()),
  },
})

/** Only reads: what it does not find may be taken at this moment, and is found when it is accepted. */
const REPEATED = statement({
  name: 'repeated',
  text: `
    select a.id from json_to_recordset($1::json) as a(id uuid, client text, key text, hash text),
      lateral (select * from idempotency i where i.client = a.client and i.key = a.key offset 0) y
     where y.expires_at > clock_timestamp()`,
  row: { id: nullable(uuid()) },
})

/** Tells which of the tasks, by their ids, have a key under which one was accepted, whatever its body. */
export async function repeatsAmong(db: Queryable, tasks: readonly NewTask[]): Promise<ReadonlySet<string>> {
  const rows = await db.query(REPEATED, [JSON.stringify(askedOf(tasks))])
  return new Set(rows.flatMap(({ id }) => id ?? []))
}

/** By now the batch is committed: a look-up that fails is told for the repeats alone. */
export async function originalsOf(
  db: Queryable,
  ids: readonly string[],
  asksForConfirm: boolean,
): Promise<(id: string) => Replayed | Failed> {
  if (ids.length === 0) return (id) => ({ kind: 'failed', error: new Error(`task ${id} was not asked for`) })
  try {
    const byId = new Map((await db.query(REPLAYED, [ids, asksForConfirm])).map((row) => [row.id, row]))
    return (id) => {
      const original = byId.get(id)
      if (original) return { kind: 'replayed', ...original }
      // Its partition has just been removed, with a key that had a moment left.
      return { kind: 'failed', error: new Error(`task ${id} of a known key is gone`) }
    }
  } catch (error) {
    return () => ({ kind: 'failed', error })
  }
}

/** Lists the keys of all tasks, each with the id that asks for it. */
export function askedOf(tasks: readonly NewTask[]) {
  return tasks.flatMap(({ id, client, keys }) => keys.map((key) => ({ id, client, ...key })))
}
