/**
 * Begins attempts. A message (id, n) begins attempt n if the task waits and n is its next attempt, and only while the
 * asking consumer's lease is alive. The same consumer asking for the same attempt gets it again, so a lost answer is
 * simply asked for once more. A number beyond the next is nobody's of ours; were it begun, a forged one could raise a
 * task's attempt to where the message for the next one can no longer be read.
 */
import type { Queryable } from '../db.ts'
import {
  bool,
  float,
  int,
  json,
  neverNull,
  nullable,
  type RowOf,
  statement,
  text,
  theRow,
  uuid,
  uuids,
} from '../statement.ts'
import { SHORT_LOCK_WAIT, withoutWaiting } from './locks.ts'

export interface Wanted {
  readonly id: string
  readonly attempt: number
  readonly deadlineMs: number
  /** When the message was published, milliseconds since 1970; undefined when it does not say. */
  readonly publishedAt: number | undefined
}

/**
 * claimed: run it. again: another transaction holds the row at this moment, ask again. nothing: there is nothing to
 * begin (a duplicate, or finished, or another's), drop the message. no_lease: this consumer's life is over.
 */
export type Claim =
  | { readonly kind: 'claimed'; readonly task: ClaimedTask }
  | { readonly kind: 'again' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'no_lease' }

/** Whether the row `u` is what `w` asks for. */
const ELIGIBLE = `
  (u.status in ('PENDING', 'RETRYING') and u.attempt + 1 = w.attempt
     and (u.expires_at is null or u.expires_at > clock_timestamp())
   or u.status = 'RUNNING' and u.attempt = w.attempt and u.holder = $2)`

const ALIVE = 'select from consumer where id = $2 and ended_at is null and lease_until > clock_timestamp()'

/**
 * $1 what is wanted, as JSON, each task once; $2 the consumer; $3 and $4 the least and greatest id wanted, which let
 * the planner leave out all other partitions of `task`. Rows are found one by one and written in id order where they were
 * found, so batches cannot deadlock; the write is what decides, because a row may have changed since it was found.
 * Joined plainly, the planner sometimes begins with the whole of `unfinished`: it was empty when it was last vacuumed. A
 * lateral query behind `offset 0` or a lock can only be answered row by row (14 ms became 2 for 100 tasks).
 * The commit is not waited for. Should PostgreSQL crash before it is on disk, the attempt is fenced when it ends, and
 * maintenance offers the task again.
 */
const claim = (name: string, find: string) =>
  statement({
    name,
    text: `
    with soon as materialized (
      select set_config('synchronous_commit', 'off', true), ${SHORT_LOCK_WAIT}
    ), picked as materialized (
      select found.place, w.attempt, w.deadline_ms, w.published_ms
        from (select * from json_to_recordset($1::json) as w(
                id uuid, attempt int, deadline_ms int, published_ms float8) order by id) w,
             lateral (select u.ctid as place from unfinished u where u.task_id = w.id ${find}) found
       where exists (${ALIVE})
    ), claimed as (
      update unfinished u
         set status = 'RUNNING', attempt = w.attempt, holder = $2, progress = null,
             published_at = to_timestamp(w.published_ms / 1000),
             started_at = case when u.status = 'RUNNING' then u.started_at else clock_timestamp() end,
             deadline_at = case when u.status = 'RUNNING' then u.deadline_at
                           else clock_timestamp() + w.deadline_ms * interval '1 ms' end
        from picked w, soon where u.ctid = w.place and ${ELIGIBLE}
      returning u.task_id, u.queue, u.attempt, u.failures, u.crashes, u.offered_at,
                extract(epoch from u.started_at - u.due_at)::float8 as waited
    )
    select c.task_id as id, c.queue, c.attempt, c.failures, c.crashes, greatest(c.waited, 0) as "waitedSeconds",
           extract(epoch from c.offered_at)::float8 * 1000 as "offeredMs",
           t.name, t.client, t."requestId", t.traceparent, t."userId", t.payload, t."maxAttempts"
      from claimed c,
           lateral (select name, client, request_id as "requestId", traceparent, user_id as "userId", payload,
                           max_attempts as "maxAttempts"
                      from task where id = c.task_id and id between $3 and $4 offset 0) t`,
    row: {
      id: uuid(),
      queue: text(),
      attempt: int(),
      failures: int(),
      crashes: int(),
      /** Seconds from due to started. */
      waitedSeconds: neverNull(float()),
      /** When it was last offered, milliseconds since 1970. */
      offeredMs: neverNull(float()),
      name: text(),
      client: text(),
      requestId: text(),
      traceparent: text(),
      userId: nullable(text()),
      payload: json<unknown>(),
      maxAttempts: nullable(int()),
    },
  })

const CLAIM = claim('claim', 'offset 0')
const CLAIM_FREE = claim('claim_free', `and ${ELIGIBLE} for update skip locked`)

export type ClaimedTask = RowOf<typeof CLAIM>

/** $1 and $2 as above, for what was not claimed: whether the consumer is alive, and which of the tasks could be begun. */
const NOT_CLAIMED = statement({
  name: 'not_claimed',
  text: `
    select exists (${ALIVE}) as "isAlive",
           array(select w.id from json_to_recordset($1::json) as w(id uuid, attempt int),
                        lateral (select from unfinished u where u.task_id = w.id and ${ELIGIBLE} offset 0) u
                ) as eligible`,
  row: { isAlive: neverNull(bool()), eligible: neverNull(uuids()) },
})

/**
 * Claims a batch for one consumer and answers in the given order.
 * If it throws, which of them were claimed is not known: ask again with the same wants.
 *
 * @param wanted 1 or more, each task once
 */
export async function claimTasks(db: Queryable, consumer: string, wanted: readonly Wanted[]): Promise<Claim[]> {
  const ids = wanted.map(({ id }) => id).sort()
  const values = [inputOf(wanted), consumer, ids[0], ids.at(-1)]
  const rows = await withoutWaiting(
    () => db.query(CLAIM, values),
    () => db.query(CLAIM_FREE, values),
  )
  const claimed = new Map(rows.map((task) => [task.id, task]))
  const others = wanted.filter(({ id }) => !claimed.has(id))
  const why = others.length === 0 ? undefined : await whyNot(db, consumer, others)
  return wanted.map(({ id }) => {
    const task = claimed.get(id)
    return task ? { kind: 'claimed', task } : { kind: why?.get(id) ?? 'nothing' }
  })
}

/** Tells why each was not claimed: what could be begun a moment later was held by another transaction. */
async function whyNot(
  db: Queryable,
  consumer: string,
  others: readonly Wanted[],
): Promise<Map<string, 'again' | 'nothing' | 'no_lease'>> {
  const { isAlive, eligible } = theRow(await db.query(NOT_CLAIMED, [inputOf(others), consumer]))
  const again = new Set(eligible)
  return new Map(others.map(({ id }) => [id, isAlive ? (again.has(id) ? 'again' : 'nothing') : 'no_lease']))
}

function inputOf(wanted: readonly Wanted[]): string {
  return JSON.stringify(
    wanted.map(({ id, attempt, deadlineMs, publishedAt }) => ({
      id,
      attempt,
      deadline_ms: deadlineMs,
      published_ms: publishedAt,
    })),
  )
}
