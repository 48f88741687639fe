// Promise: a life is renewed by the database's clock while its lease is alive and never after. A renewal names what is no
// longer its consumer's, and the end of a life hands back everything that the table says it runs, uncharged.
import { v4, v7 } from 'uuid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sqlState } from '../../src/core/database-errors.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { cancelTask } from '../../src/store/moves/cancel.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { endLife } from '../../src/store/moves/hand-back.ts'
import { beginLife, renewLease } from '../../src/store/moves/lease.ts'
import { newestBegun } from '../../src/store/moves/reoffer.ts'
import { settleTasks } from '../../src/store/moves/settle.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { untilLocked } from '../support/locks.ts'

let database: Database
let db: Db

beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 3, name: 'test', log: silentLog })
})

afterAll(async () => {
  await db.close()
  await database.drop()
})

const sql = <Row = Record<string, unknown>>(text: string, ...values: unknown[]) => db.query<Row>({ text }, values)

/** A life as the table has it, and how many seconds of its lease are left. */
async function lifeOf(id: string): Promise<Record<string, unknown>> {
  const left = `extract(epoch from lease_until - clock_timestamp())::float8 as "leftSeconds"`
  return (await sql(`select *, ${left} from consumer where id = $1`, id))[0] ?? {}
}

interface Held {
  readonly id: string
  readonly attempt: number
}

/** Tasks that a consumer runs. */
async function running(consumer: string, queue: string, count: number): Promise<Held[]> {
  const tasks = Array.from({ length: count }, () => aTask({ queue }))
  await accept(db, tasks, 0, 'test')
  const wanted = tasks.map(({ id }) => ({ id, attempt: 1, deadlineMs: 60_000, publishedAt: undefined }))
  const claims = await claimTasks(db, consumer, wanted)
  expect(claims.map(({ kind }) => kind)).toEqual(tasks.map(() => 'claimed'))
  return tasks.map(({ id }) => ({ id, attempt: 1 }))
}

const success = ({ id, attempt }: Held) =>
  ({ id, attempt, name: 'trial.echo', client: 'tests', next: 'SUCCESS', result: '1' }) as const

test('a life begins with a full lease, and its id is used once', async () => {
  const life = {
    ...{ id: v4(), name: 'consumer-a', version: '1.2.3', leaseSeconds: 60, tasks: ['trial.echo', 'trial.slow'] },
    queues: new Map([
      ['trial', 4],
      ['other', 2],
    ]),
  }
  await beginLife(db, life)

  const begun = await lifeOf(life.id)
  expect(begun).toMatchObject({
    ...{ name: 'consumer-a', version: '1.2.3', tasks: life.tasks, queues: { trial: 4, other: 2 } },
    ...{ ended_at: null, ended_because: null },
  })
  expect(begun.leftSeconds).toBeGreaterThan(50)
  expect(begun.leftSeconds).toBeLessThanOrEqual(60)
  const repeated = await beginLife(db, life).catch((error: unknown) => error)
  expect(sqlState(repeated)).toBe('23505')
})

const holding = (
  inFlight: readonly Held[],
  begun: Readonly<Record<string, number>>,
  newestOffered: Readonly<Record<string, number>> = {},
) => ({
  inFlight,
  begun: new Map(Object.entries(begun)),
  newestOffered: new Map(Object.entries(newestOffered)),
})

test('a renewal gives a full lease again, and keeps what was begun and what runs', async () => {
  const life = await aLife(db, { leaseSeconds: 20 })
  const [oldest, ...younger] = [...(await running(life, 'other', 1)), ...(await running(life, 'trial', 2))]
  const inHand = [oldest as Held, ...younger]
  const since = new Date('2026-01-02T03:04:05Z')
  await sql('update unfinished set started_at = $2 where task_id = $1', oldest?.id, since)

  expect(await renewLease(db, life, 60, holding(inHand, { trial: 17, other: 1 }, { trial: 5_000 }))).toEqual({
    isAlive: true,
    lost: [],
  })

  const renewed = await lifeOf(life)
  expect(renewed).toMatchObject({
    begun: { trial: 17, other: 1 },
    running: { trial: 2, other: 1 },
    running_since: since,
  })
  expect(await newestBegun(db)).toEqual(new Map([['trial', new Date(5_000)]]))
  expect(renewed.leftSeconds).toBeGreaterThan(50)
  expect(renewed.leftSeconds).toBeLessThanOrEqual(60)
})

test('a renewal with nothing in hand says that nothing runs', async () => {
  const life = await aLife(db)
  await renewLease(db, life, 60, holding(await running(life, 'trial', 1), { trial: 1 }))

  expect(await renewLease(db, life, 60, holding([], { trial: 1 }))).toEqual({ isAlive: true, lost: [] })
  expect(await lifeOf(life)).toMatchObject({ running: {}, running_since: null })
})

test('a renewal names the tasks in hand that are no longer its own, and only those', async () => {
  const life = await aLife(db)
  const other = await aLife(db)
  const held = await running(life, 'trial', 5)
  const [kept, cancelled, taken, later, ended] = held as [Held, Held, Held, Held, Held]
  const gone = { id: v7(), attempt: 1 }
  await cancelTask(db, 'everybody', cancelled.id, { name: 'somebody', requestId: 'r-1', reason: null })
  await sql('update unfinished set holder = $2 where task_id = $1', taken.id, other)
  await sql('update unfinished set attempt = 2 where task_id = $1', later.id)
  await settleTasks(db, life, [success(ended)])

  const { isAlive, lost } = await renewLease(db, life, 60, holding([...held, gone], {}))

  expect(isAlive).toBe(true)
  expect(lost.sort()).toEqual([cancelled, taken, later, ended, gone].map(({ id }) => id).sort())
  expect(await lifeOf(life)).toMatchObject({ running: { trial: 1 } })
  expect(await renewLease(db, life, 60, holding([kept], {}))).toEqual({ isAlive: true, lost: [] })
})

test.for<[string, () => Promise<string>]>([
  ['has run out', () => aLife(db, { leaseSeconds: -1 })],
  [
    'is over',
    async () => {
      const life = await aLife(db)
      await endLife(db, life, 'told_to_stop')
      return life
    },
  ],
])('a lease that %s is never renewed', async ([, aDeadLife]) => {
  const life = await aDeadLife()
  const [before] = await sql('select * from consumer where id = $1', life)

  expect(await renewLease(db, life, 60, holding([], { trial: 1 }))).toMatchObject({ isAlive: false })
  expect(await sql('select * from consumer where id = $1', life)).toEqual([before])
})

test('the renewal of one life leaves the others', async () => {
  const [mine, other] = [await aLife(db), await aLife(db)]
  const [before] = await sql('select * from consumer where id = $1', other)

  await renewLease(db, mine, 60, holding([], { trial: 1 }))

  expect(await sql('select * from consumer where id = $1', other)).toEqual([before])
})

test('the end of a life hands back everything that the table says it runs, uncharged and to be offered', async () => {
  const [life, other] = [await aLife(db), await aLife(db)]
  const [first, crashed] = (await running(life, 'trial', 2)) as [Held, Held]
  const [foreign] = (await running(other, 'trial', 1)) as [Held]
  const untouched = await sql('select * from unfinished where task_id = $1', foreign.id)
  await sql('update unfinished set failures = 2, crashes = 1 where task_id = $1', crashed.id)
  const ids = [first.id, crashed.id].sort()
  await sql('delete from outbox')

  expect((await endLife(db, life, 'lease_lost')).sort()).toEqual(ids)

  const stands = `
    select status, attempt, failures, crashes, holder, started_at, deadline_at, greatest(due_at, offered_at) <= now() as due
      from unfinished where task_id = $1`
  const waits = { status: 'PENDING', attempt: 1, holder: null, started_at: null, deadline_at: null, due: true }
  expect(await sql(stands, first.id)).toEqual([{ ...waits, failures: 0, crashes: 0 }])
  expect(await sql(stands, crashed.id)).toEqual([{ ...waits, failures: 2, crashes: 1 }])
  expect(
    await sql('select task_id, attempt, queue, alone, due_at <= now() as due from outbox order by task_id'),
  ).toEqual(ids.map((id) => ({ task_id: id, attempt: 2, queue: 'trial', alone: false, due: true })))
  expect(
    await sql('select task_id, attempt, consumer, outcome, error from attempt where consumer = $1 order by 1', life),
  ).toEqual(ids.map((id) => ({ task_id: id, attempt: 1, consumer: life, outcome: 'handed_back', error: null })))
  expect(await sql('select * from unfinished where task_id = $1', foreign.id)).toEqual(untouched)
})

test('what is handed back after it killed two consumers is offered alone', async () => {
  const life = await aLife(db)
  const [task] = (await running(life, 'trial', 1)) as [Held]
  await sql('update unfinished set crashes = 2 where task_id = $1', task.id)

  await endLife(db, life, 'told_to_stop')

  expect(await sql('select alone from outbox where task_id = $1 and attempt = 2', task.id)).toEqual([{ alone: true }])
})

test('the lease of a life that was ended is over, and an end that is repeated does nothing more', async () => {
  const life = await aLife(db)
  const [task] = (await running(life, 'trial', 1)) as [Held]
  await endLife(db, life, 'lease_lost')
  const ended = await sql('select * from consumer where id = $1', life)
  const rows = await sql('select * from outbox where task_id = $1 order by id', task.id)

  expect(await endLife(db, life, 'told_to_stop')).toEqual([])

  expect(ended).toMatchObject([{ ended_because: 'lease_lost', ended_at: expect.any(Date) }])
  expect(await sql('select * from consumer where id = $1', life)).toEqual(ended)
  expect(await sql('select * from outbox where task_id = $1 order by id', task.id)).toEqual(rows)
})

test('what is being settled when its life ends is waited for, and not handed back', async () => {
  const life = await aLife(db)
  const [task] = (await running(life, 'trial', 1)) as [Held]
  let end: Promise<string[]> | undefined

  await db.transaction(async (connection) => {
    expect(await settleTasks(connection, life, [success(task)])).toEqual(['settled'])
    end = endLife(db, life, 'told_to_stop')
    end.catch(() => undefined)
    await untilLocked(db)
  })

  expect(await end).toEqual([])
  expect(await sql('select status from finished where task_id = $1', task.id)).toEqual([{ status: 'SUCCESS' }])
})
