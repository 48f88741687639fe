// Promise: a message begins the next attempt of a waiting task and nothing else, for a consumer with a live lease only. Asked
// again by the same consumer it is the same attempt; a row that another transaction holds is not waited for.
import { v4, v7 } from 'uuid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NewTask } from '../../src/core/new-task.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { type ClaimedTask, claimTasks, type Wanted } from '../../src/store/moves/claim.ts'
import { endLife } from '../../src/store/moves/hand-back.ts'
import { settleTasks } from '../../src/store/moves/settle.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

let database: Database
let db: Db
let consumer: string

beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 2, name: 'test', log: silentLog })
  consumer = await aLife(db)
})

afterAll(async () => {
  await db.close()
  await database.drop()
})

async function accepted(change: Partial<NewTask> = {}): Promise<NewTask> {
  const task = aTask(change)
  await accept(db, [task], 0, 'test')
  return task
}

const want = (id: string, attempt = 1): Wanted => ({ id, attempt, deadlineMs: 60_000, publishedAt: undefined })

const kinds = async (wanted: readonly Wanted[], by = consumer) =>
  (await claimTasks(db, by, wanted)).map(({ kind }) => kind)

async function claimed(wanted: Wanted): Promise<ClaimedTask> {
  const [claim] = await claimTasks(db, consumer, [wanted])
  if (claim?.kind !== 'claimed') throw new Error(`not claimed: ${claim?.kind}`)
  return claim.task
}

const sql = <Row>(text: string, ...values: unknown[]) => db.query<Row>({ text }, values)

const standOf = async (id: string) =>
  (await sql<Record<string, unknown>>('select * from unfinished where task_id = $1', id))[0]

test('what is claimed comes back with what its handler needs, and runs by the table', async () => {
  const payload = { text: 'grüße "\\u0041"', list: [1, null, { deep: true }] }
  const task = await accepted({ payload: JSON.stringify(payload), userId: 'somebody', maxAttempts: 7 })
  const publishedAt = 1_700_000_000_123

  const got = await claimed({ id: task.id, attempt: 1, deadlineMs: 1_500, publishedAt })

  const { id, name, queue, client, requestId, traceparent } = task
  expect(got).toEqual({
    ...{ id, name, queue, client, requestId, traceparent },
    ...{ userId: 'somebody', payload, maxAttempts: 7, attempt: 1, failures: 0, crashes: 0 },
    waitedSeconds: expect.any(Number),
    offeredMs: expect.any(Number),
  })
  const stand = await standOf(id)
  expect(stand).toMatchObject({ status: 'RUNNING', attempt: 1, holder: consumer, published_at: new Date(publishedAt) })
  expect(Number(stand?.deadline_at) - Number(stand?.started_at)).toBe(1_500)
})

test('the same attempt asked for again by its holder is given again, and its deadline stays', async () => {
  const { id } = await accepted()
  const first = await claimed(want(id))
  const before = await standOf(id)

  const second = await claimed(want(id))

  expect(second).toEqual(first)
  expect(await standOf(id)).toEqual(before)
})

test('what another runs is not given', async () => {
  const { id } = await accepted()
  await claimed(want(id))
  const before = await standOf(id)

  expect(await kinds([want(id)], await aLife(db))).toEqual(['nothing'])
  expect(await standOf(id)).toEqual(before)
})

test('a row that another transaction holds is not waited for: it is to be asked for again', async () => {
  const [held, free] = [await accepted(), await accepted()]

  const meanwhile = await db.transaction(async ({ raw }) => {
    await raw('select from unfinished where task_id = $1 for update', [held.id])
    return kinds([want(held.id), want(free.id)])
  })

  expect(meanwhile).toEqual(['again', 'claimed'])
  expect(await kinds([want(held.id)])).toEqual(['claimed'])
})

test.for<[string, () => Promise<string>]>([
  ['never began', async () => v4()],
  ['has run out of its lease', () => aLife(db, { leaseSeconds: -1 })],
  [
    'was ended',
    async () => {
      const life = await aLife(db)
      await endLife(db, life, 'told_to_stop')
      return life
    },
  ],
])('a life that %s begins nothing and is told so', async ([, aDeadLife]) => {
  const { id } = await accepted()
  const before = await standOf(id)

  expect(await kinds([want(id), want(v7())], await aDeadLife())).toEqual(['no_lease', 'no_lease'])
  expect(await standOf(id)).toEqual(before)
})

test('a life whose lease has run out is not given again what it runs', async () => {
  const { id } = await accepted()
  const life = await aLife(db)
  expect(await kinds([want(id)], life)).toEqual(['claimed'])

  await sql('update consumer set lease_until = clock_timestamp() where id = $1', life)

  expect(await kinds([want(id)], life)).toEqual(['no_lease'])
})

test('only the next attempt begins: neither one that has been nor one beyond', async () => {
  const { id, name, client } = await accepted()
  expect(await kinds([want(id, 0)])).toEqual(['nothing'])
  expect(await kinds([want(id, 2)])).toEqual(['nothing'])
  await claimed(want(id))
  expect(await kinds([want(id, 2)])).toEqual(['nothing'])
  const error = { name: 'Error', message: 'no luck' }
  const again = { next: 'RETRYING', error, fingerprint: 'f', delayMs: 0, onRung: false } as const
  await settleTasks(db, consumer, [{ id, attempt: 1, name, client, ...again }])

  expect(await kinds([want(id, 1)])).toEqual(['nothing'])
  expect(await kinds([want(id, 3)])).toEqual(['nothing'])
  expect(await claimed(want(id, 2))).toMatchObject({ id, attempt: 2, failures: 1, crashes: 0 })
  await settleTasks(db, consumer, [{ id, attempt: 2, name, client, next: 'SUCCESS', result: '1' }])

  expect(await kinds([want(id, 2)])).toEqual(['nothing'])
  expect(await kinds([want(id, 3)])).toEqual(['nothing'])
})

test('what has expired is not begun; what expires later is', async () => {
  const [late, early] = [await accepted({ expiresAfterMs: 60_000 }), await accepted({ expiresAfterMs: 60_000 })]
  await sql('update unfinished set expires_at = clock_timestamp() where task_id = $1', late.id)

  expect(await kinds([want(late.id), want(early.id)])).toEqual(['nothing', 'claimed'])
})

test('what runs already is given again after its time to expire: it was begun before', async () => {
  const { id } = await accepted({ expiresAfterMs: 60_000 })
  await claimed(want(id))
  await sql('update unfinished set expires_at = clock_timestamp() where task_id = $1', id)

  expect(await kinds([want(id)])).toEqual(['claimed'])
})

test('the wait is told from due to started, and is never below zero', async () => {
  const [long, early] = [await accepted(), await accepted({ delayMs: 60_000 })]
  await sql(`update unfinished set due_at = clock_timestamp() - interval '90 s' where task_id = $1`, long.id)

  const { waitedSeconds } = await claimed(want(long.id))

  expect(waitedSeconds).toBeGreaterThanOrEqual(90)
  expect(waitedSeconds).toBeLessThan(120)
  expect(await claimed(want(early.id))).toMatchObject({ waitedSeconds: 0 })
})

test('a batch is answered in the order in which it was asked for', async () => {
  const tasks = [await accepted(), await accepted(), await accepted()]
  const [a, b, c] = tasks.map(({ id }) => id) as [string, string, string]

  const claims = await claimTasks(db, consumer, [want(c), want(v7()), want(a), want(b, 2)])

  expect(claims).toMatchObject([
    { kind: 'claimed', task: { id: c } },
    { kind: 'nothing' },
    { kind: 'claimed', task: { id: a } },
    { kind: 'nothing' },
  ])
})

test('the commit of a claim is not waited for, and that of the next transaction is', async () => {
  const { id } = await accepted()
  const one = openDb({ url: database.url, poolSize: 1, name: 'one', log: silentLog })
  const waits = { text: `select current_setting('synchronous_commit') as commit` }
  try {
    const [before] = await one.query(waits)
    const during = await one.transaction(async (connection) => {
      await claimTasks(connection, consumer, [want(id)])
      return (await connection.query(waits))[0]
    })

    expect(during).toEqual({ commit: 'off' })
    expect(before).not.toEqual({ commit: 'off' })
    expect((await one.query(waits))[0]).toEqual(before)
  } finally {
    await one.close()
  }
})
