/**
 * Ends attempts. One statement writes the history, the new state (or the end), the dead letter and the outbox row for
 * what comes next; it is fenced by attempt, holder and RUNNING, so a consumer that was given up changes nothing.
 */
import type { Failure } from '../../core/failure.ts'
import { DEATHS_BEFORE_ALONE } from '../../core/retry.ts'
import type { FailureReason } from '../../core/states.ts'
import type { Queryable } from '../db.ts'
import { neverNull, statement, uuid } from '../statement.ts'

interface Ended {
  readonly id: string
  readonly attempt: number
  readonly name: string
  readonly client: string
}

export type Settlement = Ended &
  (
    | { readonly next: 'SUCCESS' /** JSON text that PostgreSQL can store. */; readonly result: string }
    | { readonly next: 'FAILED'; readonly reason: FailureReason; readonly error: Failure; readonly fingerprint: string }
    | {
        readonly next: 'RETRYING'
        readonly error: Failure
        readonly fingerprint: string
        /** When the next attempt is due, from now; rounded to whole milliseconds. */
        readonly delayMs: number
        /** Whether a rung of the ladder carries the wait, or the outbox row does. */
        readonly onRung: boolean
      }
    | { readonly next: 'PENDING'; readonly error: Failure | null; readonly delayMs: number }
  )

/** settled: done. already: this very attempt had been settled by us before. fenced: another decided about it. */
export type Settled = 'settled' | 'already' | 'fenced'

/**
 * $1 the ends as JSON, each task once; $2 the consumer. Locks in id order. The lateral query and the arrays keep the
 * planner from beginning with the whole of `unfinished`, which was empty when it was last vacuumed (34 ms became 4 for 130
 * tasks).
 */
const SETTLE = statement({
  name: 'settle',
  text: `
    with mine as materialized (
      select u.*, e.next, e.name, e.client, e.outcome, u.failures_before + e.charge as failures, e.result, e.error,
             e.fingerprint, e.reason, e.rung_ms, clock_timestamp() as at,
             clock_timestamp() + e.delay_ms * interval '1 ms' as due
        from (select * from jsonb_to_recordset($1::jsonb) as e(
                id uuid, attempt int, next text, name text, client text, outcome text, charge int, result jsonb,
                error jsonb, fingerprint text, reason text, delay_ms bigint, rung_ms bigint) order by id) e,
             lateral (select u.task_id, u.queue, u.attempt, u.failures as failures_before, u.crashes, u.started_at,
                             u.progress, u.due_at, u.published_at, u.reoffers
                        from unfinished u
                       where u.task_id = e.id and u.attempt = e.attempt and u.holder = $2 and u.status = 'RUNNING'
                         for update) u
    ), history as (
      insert into attempt (task_id, attempt, consumer, started_at, ended_at, outcome, error, fingerprint, next_at,
                           due_at, published_at, reoffers)
      select task_id, attempt, $2, started_at, at, outcome, error, fingerprint, due, due_at, published_at, reoffers
        from mine
    ), gone as (
      delete from unfinished where task_id = any(array(select task_id from mine where next in ('SUCCESS', 'FAILED')))
    ), done as (
      insert into finished (task_id, status, attempt, failures, crashes, result, progress, finished_at)
      select task_id, next, attempt, failures, crashes, result, progress, at from mine where next in ('SUCCESS', 'FAILED')
    ), letter as (
      insert into dead_letter (task_id, name, queue, client, failed_at, reason, error, fingerprint)
      select task_id, name, queue, client, at, reason, error, fingerprint from mine where next = 'FAILED'
    ), again as (
      update unfinished u
         set status = m.next, failures = m.failures, holder = null, started_at = null, deadline_at = null,
             due_at = m.due, offered_at = m.due, reoffers = 0
        from mine m where u.task_id = any(array[m.task_id]) and m.next in ('RETRYING', 'PENDING')
    ), travel as (
      insert into outbox (task_id, attempt, queue, rung_ms, alone, created_at, due_at)
      select task_id, attempt + 1, queue, rung_ms, crashes >= ${DEATHS_BEFORE_ALONE}, at, case when rung_ms > 0 then at else due end
        from mine where next in ('RETRYING', 'PENDING')
    )
    select task_id as id from mine`,
  row: { id: uuid() },
})

/** Whether an attempt that is not ours any more was ended by ourselves: then only the answer had been lost. */
const SETTLED_BEFORE = statement({
  name: 'settled_before',
  text: `
    select e.id from jsonb_to_recordset($1::jsonb) as e(id uuid, attempt int),
           lateral (select from attempt a
                     where a.task_id = e.id and a.attempt = e.attempt and a.consumer = $2
                       and a.outcome in ('success', 'failure', 'handed_back') offset 0) a`,
  row: { id: neverNull(uuid()) },
})

/**
 * Settles a batch and answers in the given order. Repeating it is safe.
 * If it throws, which of them were settled is not known: settle again with the same arguments.
 *
 * @param settlements 1 or more, each task once
 */
export async function settleTasks(
  db: Queryable,
  consumer: string,
  settlements: readonly Settlement[],
): Promise<Settled[]> {
  const mine = new Set((await db.query(SETTLE, [inputOf(settlements), consumer])).map(({ id }) => id))
  const others = settlements.filter(({ id }) => !mine.has(id))
  const before = new Set<string>()
  if (others.length > 0) {
    const asked = JSON.stringify(others.map(({ id, attempt }) => ({ id, attempt })))
    for (const { id } of await db.query(SETTLED_BEFORE, [asked, consumer])) before.add(id)
  }
  return settlements.map(({ id }) => (mine.has(id) ? 'settled' : before.has(id) ? 'already' : 'fenced'))
}

function inputOf(settlements: readonly Settlement[]): string {
  return `[${settlements.map(rowOf).join(',')}]`
}

/** Writes one row of SETTLE's input; the result is JSON text already and goes in as it is. */
function rowOf(settlement: Settlement): string {
  const { id, attempt, name, client, next } = settlement
  const common = { id, attempt, name, client, next, charge: 0, rung_ms: 0 }
  switch (settlement.next) {
    case 'SUCCESS':
      return JSON.stringify({ ...common, outcome: 'success' }).replace(/\}$/, () => `,"result":${settlement.result}}`)
    case 'FAILED': {
      const { error, fingerprint, reason } = settlement
      return JSON.stringify({ ...common, outcome: 'failure', charge: 1, error, fingerprint, reason })
    }
    case 'RETRYING': {
      const { error, fingerprint, delayMs, onRung } = settlement
      const wait = { delay_ms: Math.round(delayMs), rung_ms: onRung ? delayMs : 0 }
      return JSON.stringify({ ...common, outcome: 'failure', charge: 1, error, fingerprint, ...wait })
    }
    case 'PENDING': {
      const { error, delayMs } = settlement
      return JSON.stringify({ ...common, outcome: 'handed_back', error, delay_ms: Math.round(delayMs) })
    }
  }
}

/**
 * Waits for whoever is writing this task, then tells whether the attempt is still this consumer's to end.
 * Asked when the answer to a commit was lost: the lock makes a commit that is still under way finish first.
 */
const STILL_MINE = statement({
  name: 'still_mine',
  text: `select task_id from unfinished
          where task_id = $1 and attempt = $2 and holder = $3 and status = 'RUNNING' for update`,
  row: { task_id: uuid() },
})

export async function isStillMine(db: Queryable, id: string, attempt: number, consumer: string): Promise<boolean> {
  return (await db.query(STILL_MINE, [id, attempt, consumer])).length > 0
}
