/** Reads what must travel and is not yet confirmed. */
import type { Queryable } from '../db.ts'
import { float, int, jsonb, neverNull, type RowOf, statement, theRow, time, uuid } from '../statement.ts'

const STATE = statement({
  name: 'outbox_state',
  text: `
    select coalesce(sum(rows), 0)::int as "dueRows", coalesce(max(oldest), 0)::float8 as "oldestSeconds",
           coalesce(jsonb_object_agg(queue, rows), '{}') as "byQueue"
      from (
        select queue, count(*)::int as rows, extract(epoch from statement_timestamp() - min(due_at)) as oldest
          from (select queue, due_at from outbox where due_at <= statement_timestamp()
                 order by due_at limit 1000001) due
         group by queue
      ) per_queue`,
  row: {
    /** Rows that are due, counted up to 1 000 001. */
    dueRows: neverNull(int()),
    oldestSeconds: neverNull(float()),
    byQueue: neverNull(jsonb<Readonly<Record<string, number>>>()),
  },
})

export interface OutboxState extends Omit<RowOf<typeof STATE>, 'byQueue'> {
  /** A queue of which nothing is due is not in it. */
  readonly byQueue: ReadonlyMap<string, number>
}

/** Counts what is due and not yet confirmed. */
export async function outboxState(db: Queryable): Promise<OutboxState> {
  const { byQueue, ...sums } = theRow(await db.query(STATE))
  // A queue may be called `constructor`, which every object has.
  return { ...sums, byQueue: new Map(Object.entries(byQueue)) }
}

/** Uses index outbox_due; the outbox holds what is not published, so there is little to look through, or an outage. */
const UNPUBLISHED = statement({
  name: 'unpublished',
  text: `select distinct on (task_id) task_id as "taskId", due_at as "dueAt", tries
           from outbox where due_at >= $2 and task_id = any($1::uuid[]) order by task_id, due_at`,
  row: {
    taskId: uuid(),
    dueAt: time(),
    /** How often the broker did not take it. */
    tries: int(),
  },
})

export type OutboxView = RowOf<typeof UNPUBLISHED>

/** Reads what of the tasks still waits to be published. @param dueFrom no row of theirs is due before */
export async function readUnpublished(
  db: Queryable,
  ids: readonly string[],
  dueFrom: Date,
): Promise<Map<string, OutboxView>> {
  const rows = await db.query(UNPUBLISHED, [ids, dueFrom])
  return new Map(rows.map((row) => [row.taskId, row]))
}
