// Promise: a client is told whether its task was accepted. Results come in the order of the tasks, a commit that fails or
// hangs keeps no room of the fast path, and an idempotency key stands for one body.
import pg from 'pg'
import { v7 } from 'uuid'
import { expect, onTestFinished, test } from 'vitest'
import type { FreshOutboxRow } from '../../src/core/new-task.ts'
import { type Commits, createCommits, type FastPath } from '../../src/gateway/commit.ts'
import { SUBMISSION } from '../../src/gateway/forms.ts'
import { Intake } from '../../src/gateway/intake.ts'
import { Row } from '../../src/gateway/row.ts'
import type { Call } from '../../src/http/call.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openDb } from '../../src/store/db.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, sqlUrl } from '../support/database.ts'
import { PACKS } from '../support/packs.ts'
import { until } from '../support/until.ts'

/** A relay with room for 1 000 rows that remembers what it is given; what it published is no longer reserved. */
function aFastPath(): FastPath & { readonly published: FreshOutboxRow[]; readonly reserved: number } {
  const published: FreshOutboxRow[] = []
  let reserved = 0
  return {
    published,
    get reserved() {
      return reserved
    },
    reserve(wanted) {
      if (reserved + wanted > 1_000) return 0
      reserved += wanted
      return 30
    },
    publish(rows) {
      reserved -= rows.length
      published.push(...rows)
      return Promise.resolve(rows.map(({ task }) => task.name === 'confirmed'))
    },
    release(rows) {
      reserved -= rows
    },
  }
}

async function start() {
  const database = await aDatabase()
  const db = openDb({ url: database.url, poolSize: 2, name: 'test accept', log: silentLog })
  const client = new pg.Client({ connectionString: sqlUrl(database.url) })
  await client.connect()
  onTestFinished(async () => {
    await client.end()
    await db.close()
    await database.drop()
  })
  const fastPath = aFastPath()
  const commits = createCommits({
    db,
    fastPath,
    name: 'test',
    clientLabel: () => 'other',
    waitsForConfirm: false,
    log: silentLog,
  })
  const idsIn = async (table: string, column = 'id'): Promise<string[]> =>
    (await client.query(`select ${column}::text as id from ${table} order by 1`)).rows.map(({ id }) => id as string)
  return { client, fastPath, commits, idsIn }
}

/** Submits `trial.echo` as a route does. */
function submitter(commits: Commits, commitMs = 5_000) {
  const standing = { queue: 'trial', backlog: 7, limit: 10, sharePerSecond: 1, left: 1, startsInSeconds: 1 }
  const intake = new Intake({
    commits,
    acceptMode: 'durable',
    waits: { commitMs },
    rules: { contracts: PACKS.contracts, queues: new Set(['trial']), newId: v7, taskRetentionMs: 86_400_000 },
    repeatsAmong: async () => new Set(),
    admission: { admit: () => ({ isAdmitted: true, standing }), isCalm: () => true },
  })
  return (payload: unknown, key?: string, requestId = 'request'): Promise<Row> => {
    const { traceId, traceparent } = aTask()
    const trace = { traceId, traceparent, tracestate: null }
    const call = { caller: { client: 'tests', scopes: ['submit'] }, requestId, trace, receivedAt: 0 } as unknown as Call
    const sent = JSON.stringify({ name: 'trial.echo', payload })
    return new Promise((done) => intake.push([new Row({ call, form: SUBMISSION, sent, key, done })]))
  }
}

test('each of many concurrent tasks gets its own result, and those that are due are published', async () => {
  const { commits, fastPath, idsIn } = await start()
  const tasks = Array.from({ length: 60 }, (_, at) =>
    aTask({ name: at % 5 === 0 ? 'confirmed' : 'other', delayMs: at % 3 === 0 ? 60_000 : null }),
  )
  const due = tasks.filter(({ delayMs }) => delayMs === null)

  const { outcomes, confirmed } = await commits.commit(tasks)

  expect(outcomes.map((one) => 'id' in one && one.id)).toEqual(tasks.map(({ id }) => id))
  expect(outcomes.map((one) => one.kind === 'accepted' && one.isDue)).toEqual(
    tasks.map(({ delayMs }) => delayMs === null),
  )
  expect(await confirmed).toEqual(tasks.map(({ name, delayMs }) => delayMs === null && name === 'confirmed'))
  expect(fastPath.published.map(({ task }) => task.id)).toEqual(due.map(({ id }) => id))
  const outboxIds = outcomes.flatMap((one) => (one.kind === 'accepted' && one.isDue ? [one.outboxId] : []))
  expect(fastPath.published.map(({ outboxId }) => outboxId)).toEqual(outboxIds)
  expect(await idsIn('task')).toEqual(tasks.map(({ id }) => id).toSorted())
  // What was not due was reserved too, and is given back.
  expect(fastPath.reserved).toBe(0)
})

test('a commit that fails accepts nothing, publishes nothing and gives the room back', async () => {
  const { client, commits, fastPath, idsIn } = await start()
  await client.query('alter table outbox rename to elsewhere')

  await expect(commits.commit([aTask(), aTask()])).rejects.toThrow('outbox')

  expect(await idsIn('task')).toEqual([])
  expect([fastPath.published, fastPath.reserved]).toEqual([[], 0])

  await client.query('alter table elsewhere rename to outbox')
  expect((await commits.commit([aTask()])).outcomes).toMatchObject([{ kind: 'accepted' }])
})

test('a task that only the database refuses takes none of its batch with it', async () => {
  const { commits, fastPath, idsIn } = await start()
  const good = [aTask(), aTask()] as const

  const { outcomes } = await commits.commit([good[0], aTask({ maxAttempts: -1 }), good[1]])

  expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'accepted'])
  expect(await idsIn('task')).toEqual(good.map(({ id }) => id))
  expect([fastPath.published.length, fastPath.reserved]).toEqual([2, 0])
})

test('a commit that hangs is answered unavailable in time, and its key tells later that it was accepted', async () => {
  const { client, commits, fastPath, idsIn } = await start()
  const submit = submitter(commits, 300)
  await client.query('begin')
  await client.query('lock table unfinished in access exclusive mode')

  const { problem } = await submit(1, 'k', 'first')

  expect([problem?.slug, problem?.headers['retry-after'], problem?.members.retryAfterSeconds]).toEqual([
    'unavailable',
    '2',
    2,
  ])
  await client.query('commit')
  await until('the commit that hung', () => fastPath.published.length === 1)
  expect(fastPath.reserved).toBe(0)
  const repeated = await submit(1, 'k', 'second')
  expect(repeated.accepted).toMatchObject({ kind: 'replayed', id: (await idsIn('task'))[0], requestId: 'first' })
})

test('a key stands for one body: it is replayed, and refused for another, also at the same moment', async () => {
  const { commits, fastPath, idsIn } = await start()
  const submit = submitter(commits)

  const [first, twin] = await Promise.all([submit({ a: 1, b: 2 }, 'k', 'first'), submit({ b: 2, a: 1 }, 'k', 'twin')])
  const { problem } = await submit({ a: 1 }, 'k')

  expect([first, twin].map((row) => row?.accepted?.kind)).toEqual(['accepted', 'replayed'])
  expect(twin?.accepted).toMatchObject({ id: first?.accepted?.id, requestId: 'first' })
  expect(first?.task?.ahead).toBe(7)
  expect([problem?.slug, problem?.status]).toEqual(['idempotency-key-reused', 422])
  expect(await idsIn('task')).toEqual([first?.accepted?.id])
  expect([fastPath.published.length, fastPath.reserved]).toEqual([1, 0])
})
