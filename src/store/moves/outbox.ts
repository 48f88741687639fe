/**
 * What must travel to the broker. A row is claimed by moving `claimed_until`, in a commit of its own, so no lock is
 * held while the broker is waited for; whatever a dead process had claimed is free again after the claim.
 */
import type { Queryable } from '../db.ts'
import { bigint, bool, float, int, neverNull, nullable, type RowOf, statement, text, uuid } from '../statement.ts'

/** A moment that is as good as at once: what is later than this changes the offer time, or the way a rung is waited for. */
const LATE = `interval '5 s'`

/**
 * $1 at most so many rows, $2 seconds of claim. Uses index outbox_due; statement_timestamp() and not clock_timestamp(),
 * which is volatile and would keep the index from being used.
 * A row for a rung that could not be published in time waits out the rest here: the whole rung would be too long.
 */
const CLAIM_DUE = statement({
  name: 'claim_due',
  text: `
    with due as materialized (
      select id from outbox
       where due_at <= statement_timestamp() and claimed_until <= statement_timestamp()
       order by due_at limit $1 for update skip locked
    ), claimed as (
      update outbox o
         set claimed_until = case when is_stale then '-infinity' else statement_timestamp() + $2::int * interval '1 s' end,
             due_at = case when is_stale then o.created_at + o.rung_ms * interval '1 ms' else o.due_at end,
             rung_ms = case when is_stale then 0 else o.rung_ms end
        from due, lateral (
          select exists (
            select from outbox s where s.id = due.id and s.rung_ms > 0
               and s.created_at < statement_timestamp() - greatest(${LATE}, s.rung_ms * interval '0.1 ms')
          ) as is_stale
        ) age
       where o.id = due.id
      returning o.*, is_stale
    )
    select c.id as "outboxId", c.task_id as "taskId", c.attempt, c.queue, c.rung_ms::float8 as "rungMs", c.alone,
           (c.rung_ms = 0 and (c.tries > 0 or c.due_at < statement_timestamp() - ${LATE})) as late,
           t.name, t.client, t.request_id as "requestId", t.traceparent, t.tracestate
      from claimed c join task t on t.id = c.task_id
     where not c.is_stale
     order by c.due_at, c.id`,
  row: {
    /** A bigint, so decimal text. */
    outboxId: bigint(),
    taskId: uuid(),
    attempt: int(),
    queue: text(),
    rungMs: neverNull(float()),
    alone: bool(),
    /** It was due more than 5 s ago, so its task begins to count as offered only when it is published. */
    late: neverNull(bool()),
    name: text(),
    client: text(),
    requestId: text(),
    traceparent: text(),
    tracestate: nullable(text()),
  },
})

export type OutboxRow = RowOf<typeof CLAIM_DUE>

/** Claims due rows for this process, oldest first; rows that others hold are skipped. */
export async function claimDue(db: Queryable, atMost: number, claimSeconds: number): Promise<OutboxRow[]> {
  return db.query(CLAIM_DUE, [atMost, claimSeconds])
}

/** Not waited for until it is on disk: a row that comes back in a crash is published twice, which is harmless. */
const SETTLE = statement({
  name: 'settle_outbox',
  text: `with soon as materialized (select set_config('synchronous_commit', 'off', true))
    delete from outbox using soon where id = any($1::bigint[])`,
  row: {},
})

/** $1 rows, $2 those of them that were late: their tasks are offered from now on, for maintenance to count from. */
const SETTLE_LATE = statement({
  name: 'settle_outbox_late',
  text: `
    with gone as (
      delete from outbox where id = any($1::bigint[]) returning id, task_id
    ), offered as materialized (
      select found.task_id
        from (select task_id from gone where id = any($2::bigint[]) order by task_id) late,
             lateral (select u.task_id from unfinished u
                       where u.task_id = late.task_id and u.status <> 'RUNNING' for update skip locked) found
    )
    update unfinished u set offered_at = clock_timestamp() from offered
     where u.task_id = any(array[offered.task_id])`,
  row: {},
})

/** Removes rows that the broker confirmed. If it fails they are published again later, which is harmless. */
export async function settleOutbox(db: Queryable, ids: readonly string[], lateIds: readonly string[]): Promise<void> {
  if (lateIds.length === 0) await db.query(SETTLE, [ids])
  else await db.query(SETTLE_LATE, [ids, lateIds])
}

const POSTPONE = statement({
  name: 'postpone_outbox',
  text: `
    update outbox
       set due_at = statement_timestamp() + least(60, power(2, least(tries, 6))) * interval '1 s',
           claimed_until = '-infinity', tries = tries + 1
     where id = any($1::bigint[])`,
  row: {},
})

/** Moves rows that the broker did not take out of the way of the others: 1 s, doubling to 60 s. */
export async function postponeOutbox(db: Queryable, ids: readonly string[]): Promise<void> {
  await db.query(POSTPONE, [ids])
}
