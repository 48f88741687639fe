// Promise: a batch is accepted in one commit, all or none of it, and each task is answered in order. A key stands for one
// body for a day, and two transactions that bring the same key at the same moment make one task.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sqlState } from '../../src/core/database-errors.ts'
import type { NewTask } from '../../src/core/new-task.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb, type Queryable } from '../../src/store/db.ts'
import { type Accepted, accept } from '../../src/store/moves/accept.ts'
import { cancelTask } from '../../src/store/moves/cancel.ts'
import { repeatsAmong } from '../../src/store/moves/repeats.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { untilLocked } from '../support/locks.ts'

let database: Database
let db: Db

beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 4, name: 'test', log: silentLog })
})

afterAll(async () => {
  await db.close()
  await database.drop()
})

const sql = <Row = Record<string, unknown>>(text: string, ...values: unknown[]) => db.query<Row>({ text }, values)

/** All that is stored of some tasks. */
async function storedOf(...tasks: readonly NewTask[]) {
  const ids = tasks.map(({ id }) => id)
  const rowsOf = (table: string, column: string, order: string) =>
    sql(`select * from ${table} where ${column} = any($1) order by ${order}`, ids)
  return {
    task: await rowsOf('task', 'id', 'id'),
    unfinished: await rowsOf('unfinished', 'task_id', 'task_id'),
    outbox: await rowsOf('outbox', 'task_id', 'task_id'),
    keys: await rowsOf('idempotency', 'task_id', 'client, key'),
  }
}

const NOTHING = { task: [], unfinished: [], outbox: [], keys: [] }

let keys = 0
const aKey = (hash = 'same') => ({ key: `key-${++keys}`, hash })

const isDue = (answers: readonly Accepted[]) => answers.map((answer) => answer.kind === 'accepted' && answer.isDue)

const accepted = (task: NewTask) => ({ kind: 'accepted', id: task.id, outboxId: expect.any(String), isDue: true })
const replayOf = ({ id, requestId, traceId }: NewTask) => ({
  kind: 'replayed',
  id,
  requestId,
  traceId,
  status: 'PENDING',
  isConfirmed: false,
})

/** Both statements must keep what does not depend on keys. */
const WAYS: readonly [string, () => NewTask['keys']][] = [
  ['without a key', () => []],
  ['with a key', () => [aKey()]],
]

test.for(WAYS)('a task %s is written as it was given, with its outbox row', async ([, keysOf]) => {
  const payload = { text: 'grüße "\\u0041"', list: [1, null, { deep: true }] }
  const own = keysOf()
  const task = aTask({
    ...{ payload: JSON.stringify(payload), userId: 'somebody', tags: ['a', 'b'], maxAttempts: 7 },
    ...{ tracestate: 'x=y', expiresAfterMs: 60_000, ahead: 12, keys: own, queue: 'other' },
  })

  const [answer] = await accept(db, [task], 0, 'api-1')

  const stored = await storedOf(task)
  const [row] = stored.task as [{ created_at: Date }]
  const [at, expires] = [row.created_at, new Date(row.created_at.getTime() + 60_000)]
  expect(stored.task).toEqual([
    {
      ...{ id: task.id, name: task.name, queue: 'other', client: 'tests', request_id: task.requestId },
      ...{ trace_id: task.traceId, traceparent: task.traceparent, tracestate: 'x=y', user_id: 'somebody' },
      ...{
        tags: ['a', 'b'],
        payload,
        max_attempts: 7,
        created_at: expect.any(Date),
        run_at: null,
        expires_at: expires,
      },
      ...{ accepted_by: 'api-1', ahead: 12, idempotency_key: own[0]?.key ?? null },
    },
  ])
  const waits = { queue: 'other', status: 'PENDING', attempt: 0, failures: 0, crashes: 0, holder: null }
  expect(stored.unfinished).toMatchObject([{ ...waits, due_at: at, offered_at: at, expires_at: expires }])
  expect(stored.outbox).toMatchObject([{ attempt: 1, queue: 'other', rung_ms: '0', alone: false, due_at: at }])
  expect(answer).toEqual({ kind: 'accepted', id: task.id, outboxId: stored.outbox[0]?.id, isDue: true })
})

test.for(WAYS)('tasks %s are written by one transaction', async ([, keysOf]) => {
  const tasks = [aTask({ keys: keysOf() }), aTask({ keys: keysOf() })]
  await accept(db, tasks, 0, 'test')

  const writers = `
    select count(*)::int as rows, count(distinct writer)::int as writers from (
      select xmin::text as writer from task where id = any($1)
      union all select xmin::text from unfinished where task_id = any($1)
      union all select xmin::text from outbox where task_id = any($1)
      union all select xmin::text from idempotency where task_id = any($1)) written`
  const rows = 6 + tasks.flatMap((task) => task.keys).length
  expect(
    await sql(
      writers,
      tasks.map(({ id }) => id),
    ),
  ).toEqual([{ rows, writers: 1 }])
})

test.for(WAYS)('when one task %s cannot be written none is', async ([, keysOf]) => {
  const old = aTask()
  await accept(db, [old], 0, 'test')
  const before = await storedOf(old)
  const fresh = aTask({ keys: keysOf() })

  const failed = await accept(db, [fresh, aTask({ id: old.id, keys: keysOf() })], 0, 'test').catch((error) => error)

  expect(sqlState(failed)).toBe('23505')
  expect(await storedOf(fresh)).toEqual(NOTHING)
  expect(await storedOf(old)).toEqual(before)
})

test.for(WAYS)('due rows of tasks %s are born claimed for as long as the caller says', async ([, keysOf]) => {
  const [due, later] = [aTask({ keys: keysOf() }), aTask({ keys: keysOf(), delayMs: 60_000 })]
  const unclaimed = aTask({ keys: keysOf() })
  await accept(db, [due, later], 30, 'test')
  await accept(db, [unclaimed], 0, 'test')

  const claims = `
    select nullif(claimed_until, '-infinity') - created_at = interval '30 s' as "isClaimed" from outbox where task_id = $1`
  expect(await sql(claims, due.id)).toEqual([{ isClaimed: true }])
  expect(await sql(claims, later.id)).toEqual([{ isClaimed: null }])
  expect(await sql(claims, unclaimed.id)).toEqual([{ isClaimed: null }])
})

test.for(WAYS)('a task %s that shall wait is not due before', async ([, keysOf]) => {
  const moment = new Date(Date.now() + 3_600_000)
  const delayed = aTask({ keys: keysOf(), delayMs: 90_000 })
  const timed = aTask({ keys: keysOf(), runAt: moment.toISOString() })
  const past = aTask({ keys: keysOf(), runAt: '2020-01-01T00:00:00Z' })

  const answers = await accept(db, [delayed, timed, past], 0, 'test')

  expect(isDue(answers)).toEqual([false, false, true])
  for (const [task, dueOf] of [
    [delayed, (at: Date) => new Date(at.getTime() + 90_000)],
    [timed, () => moment],
    [past, (at: Date) => at],
  ] as const) {
    const { task: tasks, unfinished, outbox } = await storedOf(task)
    const [{ created_at: at, run_at: runAt }] = tasks as [{ created_at: Date; run_at: Date | null }]
    expect(runAt).toEqual(task === past ? null : dueOf(at))
    expect(unfinished).toMatchObject([{ due_at: dueOf(at), offered_at: dueOf(at) }])
    expect(outbox).toMatchObject([{ created_at: at, due_at: dueOf(at) }])
  }
})

test.for(WAYS)('tasks %s are answered in the order in which they were given', async ([, keysOf]) => {
  const tasks = Array.from({ length: 20 }, () => aTask({ keys: keysOf() })).toReversed()

  expect(await accept(db, tasks, 0, 'test')).toEqual(tasks.map(accepted))
})

test('the same key with the same body is the task that was, and nothing is written', async () => {
  const keys = [aKey()]
  const [first, again] = [aTask({ keys }), aTask({ keys })]
  await accept(db, [first], 0, 'test')
  const before = await storedOf(first)

  expect(await accept(db, [again], 0, 'test')).toEqual([replayOf(first)])
  expect(await storedOf(again)).toEqual(NOTHING)
  expect(await storedOf(first)).toEqual(before)
})

test('the same key with another body is refused, and nothing is written', async () => {
  const [first, other] = [
    aTask({ keys: [{ key: 'reused', hash: 'a' }] }),
    aTask({ keys: [{ key: 'reused', hash: 'b' }] }),
  ]
  await accept(db, [first], 0, 'test')
  const before = await storedOf(first)

  expect(await accept(db, [other], 0, 'test')).toEqual([{ kind: 'key_reused', key: 'reused' }])
  expect(await storedOf(other)).toEqual(NOTHING)
  expect(await storedOf(first)).toEqual(before)
})

test("the key of another client is another's", async () => {
  const keys = [aKey()]
  const [mine, theirs] = [aTask({ keys }), aTask({ keys, client: 'another' })]
  await accept(db, [mine], 0, 'test')

  expect(await accept(db, [theirs], 0, 'test')).toEqual([accepted(theirs)])
})

test('a key stands for a day, and after it for the next task that brings it', async () => {
  const keys = [aKey('before')]
  const [first, next] = [aTask({ keys }), aTask({ keys: keys.map(({ key }) => ({ key, hash: 'after' })) })]
  await accept(db, [first], 0, 'test')
  const [stands] = (await storedOf(first)).keys
  const hours = `
    select extract(epoch from i.expires_at - t.created_at)::float8 / 3600 as hours
      from idempotency i join task t on t.id = i.task_id where t.id = $1`
  expect((await sql<{ hours: number }>(hours, first.id))[0]?.hours).toBeCloseTo(24, 2)
  await sql('update idempotency set expires_at = clock_timestamp() where task_id = $1', first.id)

  expect(await accept(db, [next], 0, 'test')).toEqual([accepted(next)])
  expect((await storedOf(first)).keys).toEqual([])
  expect((await storedOf(next)).keys).toEqual([
    { ...stands, task_id: next.id, hash: 'after', expires_at: expect.any(Date) },
  ])
  expect(await accept(db, [aTask({ keys: next.keys })], 0, 'test')).toEqual([replayOf(next)])
})

test('a batch of every kind is answered in its order', async () => {
  const [known, reused] = [aTask({ keys: [aKey()] }), aTask({ keys: [aKey()] })]
  await accept(db, [known, reused], 0, 'test')
  const fresh = aTask({ keys: [aKey()] })
  const without = aTask()
  const other = reused.keys.map(({ key }) => ({ key, hash: 'other' }))

  const answers = await accept(db, [aTask({ keys: other }), fresh, aTask({ keys: known.keys }), without], 0, 'test')

  expect(answers).toEqual([
    { kind: 'key_reused', key: reused.keys[0]?.key },
    accepted(fresh),
    replayOf(known),
    accepted(without),
  ])
})

test('of a task with two keys one that is known decides, and one that stands for another body before it', async () => {
  const known = aTask({ keys: [aKey()] })
  await accept(db, [known], 0, 'test')
  const [same] = known.keys as [{ key: string; hash: string }]
  const unknown = aKey()
  expect(await accept(db, [aTask({ keys: [unknown, same] })], 0, 'test')).toEqual([replayOf(known)])

  const other = aTask({ keys: [aKey('a')] })
  await accept(db, [other], 0, 'test')
  const differs = other.keys.map(({ key }) => ({ key, hash: 'b' }))
  const refused = [{ kind: 'key_reused', key: other.keys[0]?.key }]
  expect(await accept(db, [aTask({ keys: [same, ...differs] })], 0, 'test')).toEqual(refused)
  expect(await accept(db, [aTask({ keys: [...differs, same] })], 0, 'test')).toEqual(refused)
})

test('every key of a request that repeats a task is kept: each of them finds it again, and stands for its body', async () => {
  const [first, second, third] = [aKey(), aKey(), aKey()]
  const known = aTask({ keys: [first] })
  await accept(db, [known], 0, 'test')

  const chain = [[second, first], [third, second], [third]]
  for (const keys of chain) expect(await accept(db, [aTask({ keys })], 0, 'test')).toEqual([replayOf(known)])

  const other = aTask({ keys: [{ key: third.key, hash: 'another' }] })
  expect(await accept(db, [other], 0, 'test')).toEqual([{ kind: 'key_reused', key: third.key }])
  expect((await storedOf(known)).keys.map(({ key }) => key).toSorted()).toEqual(
    [first, second, third].map(({ key }) => key).toSorted(),
  )
})

test('a repeat says where the task stands now, and whether the broker has it when that is asked', async () => {
  const keys = [aKey()]
  const task = aTask({ keys })
  await accept(db, [task], 0, 'test')
  const repeat = (asks: boolean) => accept(db, [aTask({ keys })], 0, 'test', asks)

  expect(await repeat(true)).toEqual([replayOf(task)])
  await sql('delete from outbox where task_id = $1', task.id)
  expect(await repeat(true)).toEqual([{ ...replayOf(task), isConfirmed: true }])
  await cancelTask(db, 'everybody', task.id, { name: 'test', requestId: 'r', reason: null })

  expect(await repeat(false)).toEqual([{ ...replayOf(task), status: 'CANCELLED' }])
})

test('repeats are told from new tasks without writing anything', async () => {
  const [known, expired] = [aTask({ keys: [aKey()] }), aTask({ keys: [aKey()] })]
  await accept(db, [known, expired], 0, 'test')
  await sql('update idempotency set expires_at = clock_timestamp() where task_id = $1', expired.id)
  const asked = [
    aTask({ keys: [aKey(), ...known.keys] }),
    aTask({ keys: known.keys, client: 'another' }),
    aTask({ keys: expired.keys }),
    aTask(),
  ] as const

  expect(await repeatsAmong(db, asked)).toEqual(new Set([asked[0].id]))
})

test('a look-up of repeats that fails is told for them alone: the others are committed', async () => {
  const keys = [aKey()]
  await accept(db, [aTask({ keys })], 0, 'test')
  const fresh = aTask({ keys: [aKey()] })
  const away = new Error('canceling statement')
  const failing: Queryable = {
    query: (statement, values) => (statement.name === 'replayed' ? Promise.reject(away) : db.query(statement, values)),
  }

  expect(await accept(failing, [fresh, aTask({ keys })], 0, 'test')).toEqual([
    accepted(fresh),
    { kind: 'failed', error: away },
  ])
})

/** The database, and which statements were sent to it. */
function counted(): { db: Queryable; sent: (string | undefined)[] } {
  const sent: (string | undefined)[] = []
  return {
    sent,
    db: {
      query(statement, values) {
        sent.push(statement.name)
        return db.query(statement, values)
      },
    },
  }
}

test('a key that another transaction takes at this moment is asked for again until it is seen', async () => {
  const keys = [aKey()]
  const [first, second, beside] = [aTask({ keys }), aTask({ keys }), aTask({ keys: [aKey()] })]
  const { db: rival, sent } = counted()
  let answers: Promise<Accepted[]> | undefined

  await db.transaction(async (connection) => {
    await accept(connection, [first], 0, 'test')
    answers = accept(rival, [beside, second], 0, 'test')
    answers.catch(() => undefined)
    await untilLocked(db)
  })

  expect(await answers).toEqual([accepted(beside), replayOf(first)])
  expect(sent).toEqual(['accept_by_key', 'accept_by_key', 'replayed'])
  expect(await storedOf(second)).toEqual(NOTHING)
  expect((await storedOf(beside)).outbox).toHaveLength(1)
})

test('a key that another transaction took and gave up is free', async () => {
  const keys = [aKey()]
  const [first, second] = [aTask({ keys }), aTask({ keys })]
  const gone = new Error('rolled back')
  let answers: Promise<Accepted[]> | undefined

  const rolledBack = db.transaction(async (connection) => {
    await accept(connection, [first], 0, 'test')
    answers = accept(db, [second], 0, 'test')
    answers.catch(() => undefined)
    await untilLocked(db)
    throw gone
  })

  await expect(rolledBack).rejects.toBe(gone)
  expect(await answers).toEqual([accepted(second)])
  expect(await storedOf(first)).toEqual(NOTHING)
})

test('batches that bring the same keys in opposite order do not wait for each other in a circle', async () => {
  const batch = (...names: string[]) => names.map((key) => aTask({ keys: [{ key: `circle-${key}`, hash: 'same' }] }))
  const [up, down] = [batch('a', 'm', 'z'), batch('z', 'n', 'a')]
  const gone = new Error('rolled back')
  let answers: Promise<Accepted[][]> | undefined

  const rolledBack = db.transaction(async (connection) => {
    // Holds both up in the middle, with the first of their keys in hand.
    await accept(connection, batch('m', 'n'), 0, 'test')
    answers = Promise.all([accept(db, up, 0, 'test'), accept(db, down, 0, 'test')])
    answers.catch(() => undefined)
    await untilLocked(db, 2)
    throw gone
  })

  await expect(rolledBack).rejects.toBe(gone)
  const [ups, downs] = (await answers) as [Accepted[], Accepted[]]
  const made = [...ups, ...downs].filter(({ kind }) => kind === 'accepted')
  expect(made).toHaveLength(4)
  expect([...ups, ...downs].filter(({ kind }) => kind === 'replayed')).toHaveLength(2)
})
