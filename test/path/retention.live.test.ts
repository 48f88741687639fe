// Promise: what is old goes by itself, whole days at a time, but a task that is not finished is never removed: it keeps
// its payload and history, runs one day, and can be read.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { dropOldPartitions, ensurePartitions } from '../../src/store/upkeep/partitions.ts'
import { forgetKeys, forgetLives, forgetResults } from '../../src/store/upkeep/retention.ts'
import { call, finished, submit, withNightshift } from '../support/nightshift.ts'

let db: Db
// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })
beforeEach(async () => {
  db = openDb({ url: nightshift.databaseUrl, poolSize: 1, name: 'test', log: silentLog })
})
afterEach(async () => {
  await db.close()
})

const DAY_MS = 86_400_000
const PARTITIONED = ['task', 'finished', 'attempt'] as const

async function partitionsOf(parent: string): Promise<string[]> {
  const rows = await nightshift.sql<{ name: string }>(
    'select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1',
    [parent],
  )
  return rows.map(({ name }) => name)
}

/** The names of `parent`'s partitions from so many days ago to so many days ahead. */
async function partitionNames(parent: string, from: number, to: number): Promise<string[]> {
  const rows = await nightshift.sql<{ name: string }>(
    `select $1 || '_' || to_char((now() at time zone 'UTC')::date + day, 'YYYYMMDD') as name
       from generate_series($2::int, $3::int) as day`,
    [parent, from, to],
  )
  return rows.map(({ name }) => name)
}

/** Writes a task with one ended attempt, as it was so many days ago; `end` is how it has ended, if it has. */
async function anOldTask(days: number, n: number, end: 'SUCCESS' | 'FAILED' | undefined): Promise<string> {
  const [row] = await nightshift.sql<{ id: string; at: Date }>(
    `with moment as (select date_trunc('day', now(), 'UTC') - $1 * interval '1 day' + interval '12 h' as at)
     select (left(id_floor(at)::text, 24) || lpad($2::text, 12, '0'))::uuid as id, at from moment`,
    [days, n],
  )
  const { id, at } = row as { id: string; at: Date }
  await nightshift.sql(`select ensure_partitions($1::timestamptz, $1::timestamptz)`, [at])
  await nightshift.sql(
    `insert into task (id, name, queue, client, request_id, trace_id, traceparent, payload, created_at)
     values ($1, 'trial.echo', 'trial', 'anonymous', 'r-old', $3, '00-' || $3 || '-00f067aa0ba902b7-01', $4, $2)`,
    [id, at, '4bf92f3577b34da6a3ce929d0e0e4736', JSON.stringify({ kept: n })],
  )
  await nightshift.sql(
    `insert into attempt (task_id, attempt, consumer, started_at, ended_at, outcome)
     values ($1, 1, gen_random_uuid(), $2, $2, 'handed_back')`,
    [id, at],
  )
  if (end === undefined) {
    await nightshift.sql(
      `insert into unfinished (task_id, queue, status, attempt, due_at, offered_at)
       values ($1, 'trial', 'PENDING', 1, $2, $2)`,
      [id, at],
    )
    return id
  }
  await nightshift.sql(
    `insert into finished (task_id, status, attempt, failures, crashes, finished_at) values ($1, $2, 1, 0, 0, $3)`,
    [id, end, at],
  )
  if (end === 'FAILED') {
    await nightshift.sql(
      `insert into dead_letter (task_id, name, queue, client, failed_at, reason, error, fingerprint)
       values ($1, 'trial.echo', 'trial', 'anonymous', $2, 'failures', '{"name": "Error", "message": "old"}', 'f')`,
      [id, at],
    )
  }
  return id
}

test('partitions exist from yesterday to eight days ahead, and one that is missing is made', async () => {
  for (const parent of PARTITIONED) {
    const [missing] = await partitionNames(parent, 8, 8)
    await nightshift.sql(`drop table ${missing}`)
  }

  const made = [await ensurePartitions(db), await ensurePartitions(db)]

  expect(made).toEqual([3, 0])
  for (const parent of PARTITIONED) expect(await partitionsOf(parent)).toEqual(await partitionNames(parent, -1, 8))
})

test('days before the retention are dropped, but not what is unfinished in them: it runs later and can be read', async () => {
  const doneEarly = await anOldTask(40, 1, 'SUCCESS')
  const doneBeside = await anOldTask(35, 1, 'SUCCESS')
  const failedBeside = await anOldTask(35, 2, 'FAILED')
  const unfinished = await anOldTask(35, 3, undefined)
  const young = await anOldTask(29, 1, 'SUCCESS')

  const dropped = [await dropOldPartitions(db, 30 * DAY_MS), await dropOldPartitions(db, 30 * DAY_MS)]

  const left = await nightshift.sql<{ id: string; payload: unknown }>('select id, payload from task order by id')
  expect(left.map(({ id }) => id)).toEqual([unfinished, young])
  expect(left[0]?.payload).toEqual({ kept: 3 })
  expect(await nightshift.sql('select task_id from attempt_history order by 1')).toEqual([
    { task_id: unfinished },
    { task_id: young },
  ])
  expect(await nightshift.sql('select task_id from finished')).toEqual([{ task_id: young }])
  expect(await nightshift.sql('select task_id from dead_letter')).toEqual([])
  expect(dropped.map((days) => days.length)).toEqual([2, 0])
  for (const parent of PARTITIONED) {
    const [emptied] = await partitionNames(parent, -40, -40)
    expect(await partitionsOf(parent)).not.toContain(emptied)
  }

  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const task = await finished(api, unfinished, 60_000)

  expect(task).toMatchObject({ status: 'SUCCESS', attempt: 2, result: { kept: 3 } })
  expect(task.attempts).toMatchObject([{ outcome: 'handed_back' }, { outcome: 'success' }])
  for (const id of [doneEarly, doneBeside, failedBeside]) {
    expect((await call(api, 'GET', `/api/v1/tasks/${id}`)).status).toBe(404)
  }
})

test('once it has ended, its day goes too', async () => {
  const id = await anOldTask(35, 1, undefined)
  await dropOldPartitions(db, 30 * DAY_MS)
  await nightshift.sql('delete from unfinished')
  await nightshift.sql(
    `insert into finished (task_id, status, attempt, failures, crashes, finished_at) values ($1, 'SUCCESS', 1, 0, 0, now())`,
    [id],
  )

  const dropped = await dropOldPartitions(db, 30 * DAY_MS)

  expect(dropped).toHaveLength(1)
  for (const parent of PARTITIONED) {
    const [gone] = await partitionNames(parent, -35, -35)
    expect(await partitionsOf(parent)).not.toContain(gone)
  }
  expect(await nightshift.sql('select id from task')).toEqual([])
})

test('a result can be read for its time, is then hidden at once, and removed later', async () => {
  const api = await nightshift.startApi({ NIGHTSHIFT_RESULT_TTL: '1h' })
  await nightshift.startConsumer()
  const old = await submit(api, { name: 'trial.echo', payload: 'old' })
  const fresh = await submit(api, { name: 'trial.echo', payload: 'fresh' })
  await nightshift.untilAllFinished()
  const readable = (await call(api, 'GET', `/api/v1/tasks/${old}`)).body
  await nightshift.sql(`update finished set finished_at = finished_at - interval '61 min' where task_id = $1`, [old])

  const hidden = (await call(api, 'GET', `/api/v1/tasks/${old}`)).body
  const forgotten = [await forgetResults(db, 3_600_000, 1_000), await forgetResults(db, 3_600_000, 1_000)]

  expect(readable.result).toBe('old')
  expect(hidden).toMatchObject({ status: 'SUCCESS', result: null })
  expect(forgotten).toEqual([1, 0])
  const stored = await nightshift.sql<{ task_id: string; result: unknown }>('select task_id, result from finished')
  expect(new Map(stored.map(({ task_id, result }) => [task_id, result]))).toEqual(
    new Map([
      [old, null],
      [fresh, 'fresh'],
    ]),
  )
  expect((await call(api, 'GET', `/api/v1/tasks/${old}`)).body.attempts).toHaveLength(1)
})

test('an idempotency key holds for its day, can then be used anew, and is removed', async () => {
  const api = await nightshift.startApi()
  const task = { name: 'trial.echo', payload: 1 }
  const ids = [
    await submit(api, task, { 'idempotency-key': 'k-1' }),
    await submit(api, task, { 'idempotency-key': 'k-1' }),
  ]
  await submit(api, task, { 'idempotency-key': 'k-2' })
  await submit(api, task, { 'idempotency-key': 'k-3' })
  await nightshift.sql(`update idempotency set expires_at = now() - interval '1 s' where key in ('key:k-1', 'key:k-2')`)

  const anew = await submit(api, task, { 'idempotency-key': 'k-1' })
  const forgotten = [await forgetKeys(db, 1_000), await forgetKeys(db, 1_000)]

  expect(ids[1]).toBe(ids[0])
  expect(anew).not.toBe(ids[0])
  expect(forgotten).toEqual([1, 0])
  const keys = await nightshift.sql<{ key: string }>('select key from idempotency order by key')
  expect(keys.map(({ key }) => key)).toEqual(['key:k-1', 'key:k-3'])
})

test('consumer lives that ended before the retention are removed, those that are alive are not', async () => {
  await nightshift.sql(
    `insert into consumer (id, name, version, queues, lease_until, ended_at)
     select gen_random_uuid(), name, '0', '{}', now() - interval '40 d', ended_at
       from (values ('old', now() - interval '40 d'), ('young', now()), ('alive', null)) as life(name, ended_at)`,
  )

  const forgotten = await forgetLives(db, 30 * DAY_MS)

  expect(forgotten).toBe(1)
  expect(await nightshift.sql('select name from consumer order by name')).toEqual([
    { name: 'alive' },
    { name: 'young' },
  ])
})
