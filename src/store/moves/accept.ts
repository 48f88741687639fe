/**
 * Accepts a batch of tasks in one statement and so in one commit: `task`, `unfinished`, `outbox` and `idempotency` rows,
 * all or none. After it, every one of these tasks will be SUCCESS, FAILED or CANCELLED one day.
 */
import { sqlState } from '../../core/database-errors.ts'
import type { NewTask } from '../../core/new-task.ts'
import type { Queryable } from '../db.ts'
import { bigint, bool, neverNull, nullable, type RowOf, statement, text, uuid } from '../statement.ts'
import { askedOf, type Failed, originalsOf, type Replayed } from './repeats.ts'

export type Accepted =
  | { readonly kind: 'accepted'; readonly id: string; readonly outboxId: string; readonly isDue: boolean }
  | Replayed
  | { readonly kind: 'key_reused'; readonly key: string }
  | Failed

/** $1 the tasks as JSON: jsonb_to_recordset took 1.28 times the rows of unnest at 100 rows. */
const INPUT = `
  select x.*, at, coalesce(run_at, at + coalesce(delay_ms, 0) * interval '1 ms') as due
    from clock_timestamp() as at, json_to_recordset($1::json) as x(
      id uuid, name text, queue text, client text, request_id text, trace_id text, traceparent text, tracestate text,
      user_id text, tags text[], payload json, max_attempts int, run_at timestamptz, delay_ms bigint,
      expires_after_ms bigint, ahead int, idempotency_key text)`

/** $2 seconds for which due rows are born claimed by the caller's relay (0: not claimed), $3 the name of the api process. */
const WRITE_FRESH = `
  new_task as (
    insert into task (id, name, queue, client, request_id, trace_id, traceparent, tracestate, user_id, tags,
                      payload, max_attempts, created_at, run_at, expires_at, accepted_by, ahead, idempotency_key)
    select id, name, queue, client, request_id, trace_id, traceparent, tracestate, user_id, tags,
           payload, max_attempts, at, case when due > at then due end,
           at + expires_after_ms * interval '1 ms', $3, ahead, idempotency_key
      from fresh
  ), new_unfinished as (
    insert into unfinished (task_id, queue, status, due_at, offered_at, expires_at)
    select id, queue, 'PENDING', greatest(due, at), greatest(due, at), at + expires_after_ms * interval '1 ms'
      from fresh
  ), new_outbox as (
    insert into outbox (task_id, attempt, queue, created_at, due_at, claimed_until)
    select id, 1, queue, at, greatest(due, at),
           case when due <= at and $2::int > 0 then at + $2::int * interval '1 s' else '-infinity' end
      from fresh
    returning task_id as id, id as "outboxId", due_at <= created_at as "isDue"
  )`

/** For a batch without keys: what it leaves out was a tenth of the time at 27 tasks, a fifth at one. */
const ACCEPT = statement({
  name: 'accept',
  text: `with fresh as materialized (${INPUT}), ${WRITE_FRESH} select * from new_outbox`,
  row: { id: uuid(), outboxId: bigint(), isDue: neverNull(bool()) },
})

/**
 * $4 the keys as JSON. They are inserted in (client, key) order, so two batches never wait for each other in a circle.
 * Every key of a request that is accepted or repeats one is kept, so that each of them finds the task again.
 * A key that another transaction takes at this moment fails the statement with NS001; repeated, it sees that key.
 * What was written and what was known are told one after the other: joining them to the tasks, which is done by nested
 * loops, took a fifth of the time at 200 tasks.
 */
const ACCEPT_BY_KEY = statement({
  name: 'accept_by_key',
  text: `
    with asked as materialized (
      select a.*, clock_timestamp() as at
        from jsonb_to_recordset($4::jsonb) as a(id uuid, client text, key text, hash text)
    ), known as materialized (
      select a.id, y.task_id, y.key, y.hash = a.hash as same
        from asked a, lateral (select * from idempotency i where i.client = a.client and i.key = a.key offset 0) y
       where y.expires_at > a.at
    ), repeated as materialized (
      select id, (array_agg(task_id order by task_id))[1] as task_id from known group by id having bool_and(same)
    ), fresh as materialized (
      select * from (${INPUT}) input where not exists (select from known where known.id = input.id)
    ), wanted as materialized (
      select a.client, a.key, a.hash, a.at, coalesce(r.task_id, a.id) as task_id
        from asked a left join repeated r using (id)
       where not exists (select from known k where k.id = a.id and (k.key = a.key or not k.same))
    ), taken as (
      insert into idempotency (client, key, task_id, hash, expires_at)
      select client, key, task_id, hash, at + interval '24 h' from wanted order by client, key
      on conflict (client, key) do update
        set task_id = excluded.task_id, hash = excluded.hash, expires_at = excluded.expires_at
        where idempotency.expires_at <= clock_timestamp()
      returning task_id
    ), as_wished as (
      select all_keys_taken((select count(*) from wanted), (select count(*) from taken)) as yes
    ), ${WRITE_FRESH}
    select *, null::uuid as "knownId", null as "knownKey", null::boolean as same
      from new_outbox where (select yes from as_wished)
     union all
    select id, null, null, task_id, key, same from known where (select yes from as_wished)`,
  row: {
    id: neverNull(uuid()),
    outboxId: nullable(bigint()),
    isDue: nullable(bool()),
    knownId: nullable(uuid()),
    knownKey: nullable(text()),
    same: nullable(bool()),
  },
})

const KEY_TAKEN = 'NS001'

/**
 * Writes the batch and says of each task, in the given order, what became of it.
 * If it throws nothing was written, except when the connection broke: then the batch is written whole or not at all.
 *
 * @param tasks 1 or more, no idempotency key twice
 * @param claimSeconds how long the caller keeps the due outbox rows for itself; 0 when it has no room to publish them
 * @param acceptedBy what the process that accepts is called
 * @param asksForConfirm whether to tell of a repeat if the broker has confirmed it
 */
export async function accept(
  db: Queryable,
  tasks: readonly NewTask[],
  claimSeconds: number,
  acceptedBy: string,
  asksForConfirm = false,
): Promise<Accepted[]> {
  const input = `[${tasks.map(rowOf).join(',')}]`
  const keys = askedOf(tasks)
  for (let tries = 1; ; tries++) {
    try {
      if (keys.length === 0) return await acceptWithoutKeys(db, tasks, [input, claimSeconds, acceptedBy])
      const rows = await db.query(ACCEPT_BY_KEY, [input, claimSeconds, acceptedBy, JSON.stringify(keys)])
      return await answersOf(db, tasks, rows, asksForConfirm)
    } catch (error) {
      if (sqlState(error) !== KEY_TAKEN || tries === 5) throw error
    }
  }
}

/** Writes one row of INPUT; the payload is JSON text already and goes in as it is. */
function rowOf(task: NewTask): string {
  const row = {
    id: task.id,
    name: task.name,
    queue: task.queue,
    client: task.client,
    request_id: task.requestId,
    trace_id: task.traceId,
    traceparent: task.traceparent,
    tracestate: task.tracestate,
    user_id: task.userId,
    tags: task.tags,
    max_attempts: task.maxAttempts,
    run_at: task.runAt,
    delay_ms: task.delayMs,
    expires_after_ms: task.expiresAfterMs,
    ahead: task.ahead,
    idempotency_key: task.keys[0]?.key,
  }
  return `${JSON.stringify(row).slice(0, -1)},"payload":${task.payload}}`
}

async function acceptWithoutKeys(db: Queryable, tasks: readonly NewTask[], values: unknown[]): Promise<Accepted[]> {
  const rows = await db.query(ACCEPT, values)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return tasks.map(({ id }) => {
    const row = byId.get(id)
    if (row === undefined) throw new Error(`task ${id} was not written, and nothing says why`)
    return { kind: 'accepted', id, outboxId: row.outboxId, isDue: row.isDue }
  })
}

/** A row of the outbox, or a key that is known; one row for each of a task's keys that is. */
type ByKey = RowOf<typeof ACCEPT_BY_KEY>

async function answersOf(
  db: Queryable,
  tasks: readonly NewTask[],
  rows: readonly ByKey[],
  asksForConfirm: boolean,
): Promise<Accepted[]> {
  const byId = new Map<string, ByKey>()
  for (const row of rows) {
    // Of a task with two keys that are known, the one that stands for another body decides.
    const before = byId.get(row.id)
    if (before === undefined || before.same === true) byId.set(row.id, row)
  }
  const repeated = rows.flatMap(({ knownId, same }) => (knownId !== null && same === true ? [knownId] : []))
  const originals = await originalsOf(db, repeated, asksForConfirm)
  return tasks.map(({ id }) => {
    const { outboxId, isDue, knownId, knownKey, same } = byId.get(id) ?? NOTHING
    if (outboxId !== null) return { kind: 'accepted', id, outboxId, isDue: isDue === true }
    if (knownId === null || knownKey === null) throw new Error(`task ${id} was not written, and nothing says why`)
    return same === true ? originals(knownId) : { kind: 'key_reused', key: knownKey }
  })
}

const NOTHING = { outboxId: null, isDue: null, knownId: null, knownKey: null, same: null }
