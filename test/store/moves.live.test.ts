// Promise: a task moves between its states as MOVES in core/states.ts says, and in no other way. Every function of the
// store that can move a task is tried in every state: it either makes its one move or leaves everything as it was.
import { v4 } from 'uuid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MOVES, STATUSES, type Status } from '../../src/core/states.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { cancelTask } from '../../src/store/moves/cancel.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { expireTasks } from '../../src/store/moves/expire.ts'
import { endLife } from '../../src/store/moves/hand-back.ts'
import { redriveTasks } from '../../src/store/moves/redrive.ts'
import { type Settlement, settleTasks } from '../../src/store/moves/settle.ts'
import { takeBack } from '../../src/store/moves/take-back.ts'
import { databaseTime } from '../../src/store/reads/database-time.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

let database: Database
let db: Db
beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 2, name: 'test', log: silentLog })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

const ERROR = { name: 'Error', message: 'no luck' }
const ACTOR = { name: 'somebody', requestId: 'r-1', reason: null }

/** A task, the consumer it was claimed by when it ran, and the attempt it is at. */
interface Subject {
  readonly id: string
  readonly consumer: string
  readonly attempt: number
}

async function aWaitingTask(): Promise<Subject> {
  const consumer = await aLife(db)
  const task = aTask()
  await accept(db, [task], 0, 'test')
  return { id: task.id, consumer, attempt: 0 }
}

async function claim({ id, attempt }: Subject, consumer: string): Promise<void> {
  await claimTasks(db, consumer, [{ id, attempt: attempt + 1, deadlineMs: 60_000, publishedAt: undefined }])
}

type End = Settlement extends infer Each
  ? Each extends Settlement
    ? Omit<Each, 'id' | 'attempt' | 'name' | 'client'>
    : never
  : never

const SUCCESS: End = { next: 'SUCCESS', result: '1' }
const FAILED: End = { next: 'FAILED', reason: 'failures', error: ERROR, fingerprint: 'f' }
const RETRYING: End = { next: 'RETRYING', error: ERROR, fingerprint: 'f', delayMs: 0, onRung: false }
const PENDING: End = { next: 'PENDING', error: null, delayMs: 0 }

async function settle({ id, consumer, attempt }: Subject, end: End): Promise<void> {
  await settleTasks(db, consumer, [{ id, attempt, name: 'trial.echo', client: 'c', ...end }])
}

/** Brings a new task into a state by the ways that tasks take. */
const BRING: Readonly<Record<Status, () => Promise<Subject>>> = {
  PENDING: aWaitingTask,
  async RUNNING() {
    const task = await aWaitingTask()
    await claim(task, task.consumer)
    return { ...task, attempt: 1 }
  },
  RETRYING: () => ended(RETRYING),
  SUCCESS: () => ended(SUCCESS),
  FAILED: () => ended(FAILED),
  async CANCELLED() {
    const task = await BRING.RUNNING()
    await cancelTask(db, 'everybody', task.id, ACTOR)
    return task
  },
}

async function ended(end: End): Promise<Subject> {
  const task = await BRING.RUNNING()
  await settle(task, end)
  return task
}

interface Verb {
  readonly verb: string
  /** Where it leads, by the state it finds; from all other states it must change nothing. */
  readonly moves: Partial<Record<Status, Status>>
  /** What makes the verb mean this task. */
  readonly given?: (task: Subject) => Promise<unknown>
  readonly run: (task: Subject) => Promise<unknown>
}

const sql = (text: string, ...values: unknown[]) => db.query<Record<string, unknown>>({ text }, values)

const VERBS: readonly Verb[] = [
  {
    verb: 'claim by another consumer',
    moves: { PENDING: 'RUNNING', RETRYING: 'RUNNING' },
    run: async (task) => claim(task, (await aWaitingTask()).consumer),
  },
  {
    verb: 'claim of an attempt that has been',
    moves: {},
    run: async (task) => claim({ ...task, attempt: task.attempt - 1 }, (await aWaitingTask()).consumer),
  },
  { verb: 'settle as SUCCESS', moves: { RUNNING: 'SUCCESS' }, run: (task) => settle(task, SUCCESS) },
  { verb: 'settle as FAILED', moves: { RUNNING: 'FAILED' }, run: (task) => settle(task, FAILED) },
  { verb: 'settle as RETRYING', moves: { RUNNING: 'RETRYING' }, run: (task) => settle(task, RETRYING) },
  { verb: 'settle as PENDING', moves: { RUNNING: 'PENDING' }, run: (task) => settle(task, PENDING) },
  { verb: 'settle by another', moves: {}, run: (task) => settle({ ...task, consumer: v4() }, SUCCESS) },
  {
    verb: 'settle of another attempt',
    moves: {},
    run: (task) => settle({ ...task, attempt: task.attempt + 1 }, SUCCESS),
  },
  {
    verb: 'end of its life',
    moves: { RUNNING: 'PENDING' },
    run: ({ consumer }) => endLife(db, consumer, 'told_to_stop'),
  },
  { verb: "end of another's life", moves: {}, run: () => endLife(db, v4(), 'told_to_stop') },
  {
    verb: 'take-back from the dead',
    moves: { RUNNING: 'PENDING' },
    given: ({ consumer }) => sql(`update consumer set lease_until = '-infinity' where id = $1`, consumer),
    run: async () => takeBack(db, await databaseTime(db), 10, 1_000),
  },
  {
    verb: 'take-back after the last death',
    moves: { RUNNING: 'FAILED' },
    given: async ({ id, consumer }) => {
      await sql(`update consumer set lease_until = '-infinity' where id = $1`, consumer)
      await sql('update unfinished set crashes = 3 where task_id = $1', id)
    },
    run: async () => takeBack(db, await databaseTime(db), 10, 1_000),
  },
  {
    verb: 'take-back from the living',
    moves: {},
    run: async () => takeBack(db, await databaseTime(db), 10, 1_000),
  },
  {
    verb: 'expiry',
    moves: { PENDING: 'FAILED', RETRYING: 'FAILED' },
    given: ({ id }) => sql(`update unfinished set expires_at = '-infinity' where task_id = $1`, id),
    run: () => expireTasks(db, 1_000),
  },
  { verb: 'expiry before its time', moves: {}, run: () => expireTasks(db, 1_000) },
  {
    verb: 'cancel',
    moves: { PENDING: 'CANCELLED', RUNNING: 'CANCELLED', RETRYING: 'CANCELLED' },
    run: ({ id }) => cancelTask(db, 'everybody', id, ACTOR),
  },
  { verb: "cancel of another's", moves: {}, run: ({ id }) => cancelTask(db, { client: 'x' }, id, ACTOR) },
  { verb: 'redrive', moves: { FAILED: 'PENDING' }, run: ({ id }) => redriveTasks(db, 'everybody', [id], ACTOR) },
  { verb: "redrive of another's", moves: {}, run: ({ id }) => redriveTasks(db, { client: 'x' }, [id], ACTOR) },
]

/** Everything that is stored of a task and can change. */
async function storedOf(id: string): Promise<Record<string, Record<string, unknown>[]>> {
  const tables = ['unfinished', 'finished', 'attempt', 'outbox', 'dead_letter', 'operation']
  const rows = tables.map(async (table) => [table, await sql(`select * from ${table} where task_id = $1`, id)] as const)
  return Object.fromEntries(await Promise.all(rows))
}

/** In one place and in one only. */
async function statusOf(id: string): Promise<unknown> {
  const { unfinished = [], finished = [] } = await storedOf(id)
  const statuses = [...unfinished, ...finished].map(({ status }) => status)
  return statuses.length === 1 ? statuses[0] : statuses
}

const CASES = VERBS.flatMap((verb) => STATUSES.map((from) => ({ ...verb, from, to: verb.moves[from] })))

describe('a move that is in the table happens:', () => {
  test.each(CASES.filter(({ to }) => to))('$verb leads from $from to $to', async ({ given, run, from, to }) => {
    const task = await BRING[from]()
    await given?.(task)
    expect(await statusOf(task.id)).toBe(from)

    await run(task)

    expect(await statusOf(task.id)).toBe(to)
  })
})

describe('a move that is not in the table does not:', () => {
  test.each(CASES.filter(({ to }) => !to))(
    '$verb changes nothing of a task that is $from',
    async ({ given, run, from }) => {
      const task = await BRING[from]()
      await given?.(task)
      const before = await storedOf(task.id)

      await run(task)

      expect(await storedOf(task.id)).toEqual(before)
    },
  )
})

test('together they make every move of the table, and no other', () => {
  const made = CASES.filter(({ to }) => to).map(({ from, to }) => `${from} to ${to}`)
  const allowed = STATUSES.flatMap((from) => MOVES[from].map((to) => `${from} to ${to}`))

  expect([...new Set(made)].sort()).toEqual(allowed.sort())
})
