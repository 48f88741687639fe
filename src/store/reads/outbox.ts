/** Reads what must travel and is not yet confirmed. */
import type { Queryable } from '../db.ts'

export interface OutboxState {
  /** Rows that are due, counted up to 1 000 001. */
  readonly dueRows: number
  readonly oldestSeconds: number
  readonly byQueue: Readonly<Record<string, number>>
}

const STATE = {
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
}

/** Counts what is due and not yet confirmed. */
export async function outboxState(db: Queryable): Promise<OutboxState> {
  return (await db.query<OutboxState>(STATE))[0] as OutboxState
}

export interface OutboxView {
  readonly taskId: string
  readonly dueAt: Date
  /** How often the broker did not take it. */
  readonly tries: number
}

/** Uses index outbox_due; the outbox holds what is not published, so there is little to look through, or an outage. */
const UNPUBLISHED = {
  name: 'unpublished',
  text: `select distinct on (task_id) task_id as "taskId", due_at as "dueAt", tries
           from outbox where due_at >= $2 and task_id = any($1::uuid[]) order by task_id, due_at`,
}

/** Reads what of the tasks still waits to be published. @param dueFrom no row of theirs is due before */
export async function readUnpublished(
  db: Queryable,
  ids: readonly string[],
  dueFrom: Date,
): Promise<Map<string, OutboxView>> {
  const rows = await db.query<OutboxView>(UNPUBLISHED, [ids, dueFrom])
  return new Map(rows.map((row) => [row.taskId, row]))
}
