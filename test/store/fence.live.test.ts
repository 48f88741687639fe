// Promise: the fence. A write that PostgreSQL received before the attempt was decided by another, and executes afterwards,
// changes nothing, and its sender is told. The backend of the writer is frozen in between (SIGSTOP), so nothing depends on luck.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { writeProgress } from '../../src/store/moves/progress.ts'
import { type Settlement, settleTasks, settleWithin } from '../../src/store/moves/settle.ts'
import { endSilent, takeBack } from '../../src/store/moves/take-back.ts'
import { databaseTime } from '../../src/store/reads/database-time.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { until } from '../support/until.ts'

let database: Database
/** One connection, whose backend is frozen. */
let frozen: Db
let backend: number
let db: Db
let first: string
let second: string
let id: string

beforeEach(async () => {
  database = await aDatabase()
  frozen = openDb({ url: database.url, poolSize: 1, name: 'frozen', log: silentLog, queryTimeoutMs: 60_000 })
  db = openDb({ url: database.url, poolSize: 2, name: 'other', log: silentLog })
  first = await aLife(db)
  second = await aLife(db)
  const task = aTask()
  id = task.id
  await accept(db, [task], 0, 'test')
  const [row] = await frozen.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })
  backend = row?.pid as number
})

afterEach(async () => {
  thaw()
  await Promise.all([frozen.close(), db.close()])
  await database.drop()
})

const freeze = (): boolean => process.kill(backend, 'SIGSTOP')
const thaw = (): boolean => process.kill(backend, 'SIGCONT')

async function claim(consumer: string, attempt: number): Promise<void> {
  const [claimed] = await claimTasks(db, consumer, [{ id, attempt, deadlineMs: 60_000, publishedAt: undefined }])
  expect(claimed?.kind).toBe('claimed')
}

const ended = (attempt: number) => ({ id, attempt, name: 'trial.echo', client: 'tests' })
const ERROR = { name: 'Error', message: 'no luck' }

const success = (attempt: number, result: string): Settlement => ({ ...ended(attempt), next: 'SUCCESS', result })

/** The ways in which an attempt can end. */
const ENDS: readonly Settlement[] = [
  success(1, '"stale"'),
  { ...ended(1), next: 'FAILED', reason: 'failures', error: ERROR, fingerprint: 'f' },
  { ...ended(1), next: 'RETRYING', error: ERROR, fingerprint: 'f', delayMs: 1_000, onRung: true },
  { ...ended(1), next: 'PENDING', error: null, delayMs: 0 },
]

interface Stand {
  readonly status: string
  readonly attempt: number
  readonly holder: string | null
  readonly result: unknown
}

/** How the task stands, finished or not, and how many outbox rows and dead letters it has. */
async function stand(): Promise<Stand & { outbox: number; letters: number }> {
  const [row] = await db.query<Stand & { outbox: number; letters: number }>(
    {
      text: `
        select *, (select count(*)::int from outbox where task_id = $1) as outbox,
               (select count(*)::int from dead_letter where task_id = $1) as letters
          from (select status, attempt, holder, null::json as result from unfinished where task_id = $1
                 union all select status, attempt, null, result from finished where task_id = $1) task`,
    },
    [id],
  )
  return row as Stand & { outbox: number; letters: number }
}

/** The first consumer loses its lease and is given up, and the second begins the next attempt. */
async function takeOver(): Promise<void> {
  await db.query({ text: `update consumer set lease_until = now() - interval '1 s' where id = $1` }, [first])
  const answeredAt = await databaseTime(db)
  expect(await endSilent(db, answeredAt)).toEqual([first])
  expect(await takeBack(db, answeredAt, 60, 10)).toHaveLength(1)
  await claim(second, 2)
}

test.for(ENDS.map((end) => [end.next, end] as const))(
  'a settle to %s that was received before and executed after another took over is fenced',
  async ([, end]) => {
    await claim(first, 1)
    freeze()
    const settled = settleTasks(frozen, first, [{ ...end, id }])

    await takeOver()
    const before = await stand()
    thaw()

    expect(await settled).toEqual(['fenced'])
    expect(await stand()).toEqual(before)
    expect(before).toMatchObject({ status: 'RUNNING', attempt: 2, holder: second })
  },
)

test('a settle that comes after the other has finished leaves its result', async () => {
  await claim(first, 1)
  freeze()
  const settled = settleTasks(frozen, first, [success(1, '"stale"')])

  await takeOver()
  await settleTasks(db, second, [success(2, '"right"')])
  thaw()

  expect(await settled).toEqual(['fenced'])
  expect(await stand()).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 'right' })
})

test('the number of the attempt fences: its own later attempt is not ended by an earlier one', async () => {
  await claim(first, 1)
  freeze()
  const settled = settleTasks(frozen, first, [success(1, '"stale"')])

  await settleTasks(db, first, [{ ...ended(1), next: 'PENDING', error: null, delayMs: 0 }])
  await claim(first, 2)
  thaw()

  // It was ended before by this consumer itself, so it is told so; what runs now is the next attempt.
  expect(await settled).toEqual(['already'])
  expect(await stand()).toMatchObject({ status: 'RUNNING', attempt: 2, holder: first })
})

test('the holder fences: a claim that a crash of PostgreSQL forgot, and that another made again', async () => {
  await claim(first, 1)
  freeze()
  const settled = settleTasks(frozen, first, [success(1, '"stale"')])

  const forget = `update unfinished set status = 'PENDING', attempt = 0, holder = null, started_at = null,
                         deadline_at = null where task_id = $1`
  await db.query({ text: forget }, [id])
  await claim(second, 1)
  thaw()

  expect(await settled).toEqual(['fenced'])
  expect(await stand()).toMatchObject({ status: 'RUNNING', attempt: 1, holder: second })
})

/** Settles as the consumer does: as long as it is told to ask again. */
async function untilSettled(settlement: Settlement): Promise<string | undefined> {
  for (;;) {
    const [settled] = await settleTasks(frozen, first, [settlement])
    if (settled !== 'again') return settled
  }
}

test('a settle that finds the lock of whoever decides sees the decision', async () => {
  await claim(first, 1)
  let settled: Promise<string | undefined> | undefined

  await db.transaction(async (connection) => {
    await connection.raw('select from unfinished where task_id = $1 for update', [id])
    settled = untilSettled(success(1, '"stale"'))
    await until('the settle to wait for the lock', async () => {
      const waiting = `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`
      return (await db.query({ text: waiting }, [backend])).length === 1
    })
    await connection.raw(`update unfinished set attempt = 2, holder = $2 where task_id = $1`, [id, second])
  })

  expect(await settled).toBe('fenced')
  expect(await stand()).toMatchObject({ status: 'RUNNING', attempt: 2, holder: second })
})

test.for(ENDS.map((end) => [end.next, end] as const))(
  'a row that another holds holds up no other settle to %s, and is settled once it is free',
  async ([, end]) => {
    await claim(first, 1)
    const other = aTask()
    await accept(db, [other], 0, 'test')
    await claimTasks(db, first, [{ id: other.id, attempt: 1, deadlineMs: 60_000, publishedAt: undefined }])
    const both = [id, other.id].map((each) => ({ ...end, id: each }))

    await db.transaction(async (connection) => {
      await connection.raw('select from unfinished where task_id = $1 for update', [id])
      expect(await settleTasks(db, first, both)).toEqual(['again', 'settled'])
    })

    expect(await settleTasks(db, first, both)).toEqual(['settled', 'already'])
  },
)

test('a settle that meets its own progress is not thrown away', async () => {
  await claim(first, 1)
  freeze()
  const settled = settleTasks(frozen, first, [success(1, '"right"')])
  await db.transaction(async (connection) => {
    await writeProgress(connection, { id, attempt: 1 }, first, '{"percent": 90}')
    thaw()
    await until('the settle to wait for the lock', async () => {
      const waiting = `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`
      return (await db.query({ text: waiting }, [backend])).length === 1
    })
  })

  expect(await settled).toEqual(['settled'])
})

test('the last statement of a transaction of its own: what it wrote goes with it', async () => {
  await db.query({ text: 'create table effect (attempt int)' })
  await claim(first, 1)
  const gone = new Error('fenced')

  const committed = frozen.transaction(async (connection) => {
    await connection.raw('insert into effect values (1)')
    freeze()
    const settled = settleWithin(connection, first, success(1, '"stale"'))
    await takeOver()
    thaw()
    if ((await settled) === 'fenced') throw gone
  })

  await expect(committed).rejects.toBe(gone)
  expect(await db.query({ text: 'select * from effect' })).toEqual([])
  expect(await stand()).toMatchObject({ status: 'RUNNING', attempt: 2, holder: second })
})

test('progress of the one that was given up does not overwrite that of the other', async () => {
  const told = (attempt: number) => ({ id, attempt })
  const progress = async () => (await db.query({ text: 'select progress from unfinished where task_id = $1' }, [id]))[0]
  await claim(first, 1)
  freeze()
  const written = writeProgress(frozen, told(1), first, '{"percent": 90}')

  await takeOver()
  await writeProgress(db, told(2), second, '{"percent": 10}')
  thaw()
  await written

  expect(await progress()).toEqual({ progress: { percent: 10 } })
})
