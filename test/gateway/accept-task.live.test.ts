// Promise: a client is told whether its task was accepted. Results come in the order of the tasks, a commit that fails or
// hangs keeps no room of the fast path, and an idempotency key stands for one body.
import pg from 'pg'
import { v7 } from 'uuid'
import { expect, onTestFinished, test } from 'vitest'
import type { FreshOutboxRow } from '../../src/core/new-task.ts'
import { AcceptTask } from '../../src/gateway/accept-task.ts'
import { createGroupCommit, type FastPath, type GroupCommit } from '../../src/gateway/group-commit.ts'
import { Problem } from '../../src/http/problem.ts'
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
      return rows.map(async ({ task }) => task.name === 'confirmed')
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
  const groupCommit = createGroupCommit({ db, fastPath, name: 'test', clientLabel: () => 'other', log: silentLog })
  const idsIn = async (table: string, column = 'id'): Promise<string[]> =>
    (await client.query(`select ${column}::text as id from ${table} order by 1`)).rows.map(({ id }) => id as string)
  return { client, fastPath, groupCommit, idsIn }
}

/** Submits `trial.echo` as a route does. */
function submitter(groupCommit: GroupCommit, commitMs = 5_000) {
  const tasks = new AcceptTask({
    groupCommit,
    acceptMode: 'durable',
    waits: { commitMs },
    rules: { contracts: PACKS.contracts, queues: new Set(['trial']), newId: v7, taskRetentionMs: 86_400_000 },
    admission: {
      admit: ({ queue }) => ({
        isAdmitted: true,
        standing: { queue, backlog: 7, limit: 10, sharePerSecond: 1, left: 1, startsInSeconds: 1 },
      }),
    },
  })
  return async (payload: unknown, key?: string, requestId = 'request') => {
    const { traceId, traceparent } = aTask()
    const trace = { traceId, traceparent, tracestate: null }
    const call = { caller: { client: 'tests', scopes: ['submit' as const] }, requestId, trace }
    return tasks.accept({ name: 'trial.echo', payload }, { call, key, payloadAt: '/payload' })
  }
}

const problemOf = (promise: Promise<unknown>): Promise<Problem> =>
  promise.then(
    () => Promise.reject(new Error('it was accepted')),
    (error: unknown) => (error instanceof Problem ? error : Promise.reject(error)),
  )

test('each of many concurrent tasks gets its own result, and those that are due are published', async () => {
  const { groupCommit, fastPath, idsIn } = await start()
  const tasks = Array.from({ length: 60 }, (_, at) =>
    aTask({ name: at % 5 === 0 ? 'confirmed' : 'other', delayMs: at % 3 === 0 ? 60_000 : null }),
  )
  const due = tasks.filter(({ delayMs }) => delayMs === null)

  const results = await Promise.all(tasks.map((task) => groupCommit.commit(task)))

  expect(results.map(({ accepted }) => 'id' in accepted && accepted.id)).toEqual(tasks.map(({ id }) => id))
  expect(results.map(({ accepted }) => accepted.kind === 'accepted' && accepted.isDue)).toEqual(
    tasks.map(({ delayMs }) => delayMs === null),
  )
  expect(await Promise.all(results.map(({ confirmed }) => confirmed))).toEqual(
    tasks.map(({ name, delayMs }) => (delayMs === null ? name === 'confirmed' : undefined)),
  )
  expect(fastPath.published.map(({ task }) => task.id)).toEqual(due.map(({ id }) => id))
  const outboxIds = results.flatMap(({ accepted }) =>
    accepted.kind === 'accepted' && accepted.isDue ? [accepted.outboxId] : [],
  )
  expect(fastPath.published.map(({ outboxId }) => outboxId)).toEqual(outboxIds)
  expect(await idsIn('task')).toEqual(tasks.map(({ id }) => id).toSorted())
  // What was not due was reserved too, and is given back.
  expect(fastPath.reserved).toBe(0)
})

test('a commit that fails accepts nothing, publishes nothing and gives the room back', async () => {
  const { client, groupCommit, fastPath, idsIn } = await start()
  await client.query('alter table outbox rename to elsewhere')

  const results = await Promise.allSettled([aTask(), aTask()].map((task) => groupCommit.commit(task)))

  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await idsIn('task')).toEqual([])
  expect([fastPath.published, fastPath.reserved]).toEqual([[], 0])

  await client.query('alter table elsewhere rename to outbox')
  expect((await groupCommit.commit(aTask())).accepted.kind).toBe('accepted')
})

test('a task that only the database refuses takes none of its batch with it', async () => {
  const { groupCommit, fastPath, idsIn } = await start()
  const good = [aTask(), aTask()] as const

  const results = await Promise.allSettled(
    [good[0], aTask({ payload: '"\\u0000"' }), good[1]].map((task) => groupCommit.commit(task)),
  )

  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await idsIn('task')).toEqual(good.map(({ id }) => id))
  expect([fastPath.published.length, fastPath.reserved]).toEqual([2, 0])
})

test('a commit that hangs is answered unavailable in time, and its key tells later that it was accepted', async () => {
  const { client, groupCommit, fastPath, idsIn } = await start()
  const submit = submitter(groupCommit, 300)
  await client.query('begin')
  await client.query('lock table unfinished in access exclusive mode')

  const problem = await problemOf(submit(1, 'k', 'first'))

  expect([problem.slug, problem.headers['retry-after'], problem.members.retryAfterSeconds]).toEqual([
    'unavailable',
    '2',
    2,
  ])
  await client.query('commit')
  await until('the commit that hung', () => fastPath.published.length === 1)
  expect(fastPath.reserved).toBe(0)
  const repeated = await submit(1, 'k', 'second')
  expect(repeated).toMatchObject({ isReplayed: true, body: { id: (await idsIn('task'))[0], requestId: 'first' } })
})

test('a key stands for one body: it is replayed, and refused for another, also at the same moment', async () => {
  const { groupCommit, fastPath, idsIn } = await start()
  const submit = submitter(groupCommit)

  const [first, twin] = await Promise.all([submit({ a: 1, b: 2 }, 'k', 'first'), submit({ b: 2, a: 1 }, 'k', 'twin')])
  const problem = await problemOf(submit({ a: 1 }, 'k'))

  expect([first?.isReplayed, twin?.isReplayed]).toEqual([false, true])
  expect(twin?.body).toMatchObject({ id: first?.body.id, requestId: 'first' })
  expect(first?.body.ahead).toBe(7)
  expect([problem.slug, problem.status]).toEqual(['idempotency-key-reused', 422])
  expect(await idsIn('task')).toEqual([first?.body.id])
  expect([fastPath.published.length, fastPath.reserved]).toEqual([1, 0])
})
