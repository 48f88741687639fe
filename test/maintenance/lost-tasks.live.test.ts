// Promise: a task is offered again only when its queue was seen to pass it by. A look that failed, or that is merely
// remembered, has seen nothing. On a real database; what the looks told is the test's.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LostTasks } from '../../src/maintenance/lost-tasks.ts'
import type { Figure } from '../../src/queues/figure.ts'
import type { QueueLoad } from '../../src/queues/queues.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { databaseTime } from '../../src/store/reads/database-time.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

const QUIET_SECONDS = 10

let database: Database
let db: Db
let lostTasks: LostTasks
let load: Figure<QueueLoad>

beforeEach(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 1, name: 'maintenance', log: silentLog })
  const queues = { names: ['trial'], load: () => load }
  lostTasks = new LostTasks({ db, queues, quietSeconds: QUIET_SECONDS, mostPerStep: 100, log: silentLog })
})

afterEach(async () => {
  await db.close()
  await database.drop()
})

/** A task whose message was confirmed so many seconds ago. */
async function offered(secondsAgo: number): Promise<string> {
  const task = aTask()
  await accept(db, [task], 0, 'test')
  await db.query({ text: 'delete from outbox where task_id = $1' }, [task.id])
  const text = `update unfinished set offered_at = clock_timestamp() - $2::int * interval '1 s' where task_id = $1`
  await db.query({ text }, [task.id, secondsAgo])
  return task.id
}

/** Steps at a second when this is what is known, and tells which tasks are offered again now. */
async function step(second: number, known: Figure<QueueLoad>): Promise<string[]> {
  load = known
  await lostTasks.step(await databaseTime(db), second * 1_000)
  const rows = await db.query<{ id: string }>({ text: 'select task_id as id from outbox order by id' })
  return rows.map(({ id }) => id)
}

const holding = (ready: number, second: number): Figure<QueueLoad> => ({
  state: 'known',
  value: { ready, consumers: 1, due: 0 },
  at: second * 1_000,
})
const untold: Figure<QueueLoad> = { state: 'last_known', value: { ready: 0, consumers: 1, due: 0 }, ageMs: 1_000 }

test('what was offered before its queue was empty for the quiet time is offered again', async () => {
  const lost = await offered(60)

  expect(await step(100, holding(0, 100))).toEqual([])
  expect(await step(109, holding(0, 109))).toEqual([])
  expect(await step(110, holding(0, 110))).toEqual([lost])
})

test('a queue that held messages in between has passed nothing by', async () => {
  const waiting = await offered(60)
  await step(100, holding(0, 100))
  await step(105, holding(1, 105))

  expect(await step(114, holding(0, 114))).toEqual([])
  expect(await step(124, holding(0, 124))).toEqual([waiting])
})

test.each([['last known'], ['unknown']])('a queue that was %s in between has passed nothing by', async (state) => {
  const waiting = await offered(60)
  await step(100, holding(0, 100))
  await step(105, state === 'unknown' ? { state: 'unknown' } : untold)

  expect(await step(114, holding(0, 114))).toEqual([])
  expect(await step(124, holding(0, 124))).toEqual([waiting])
})

test('the time since the last look shows nothing of the queue', async () => {
  const waiting = await offered(60)
  await step(100, holding(0, 100))
  const later = await step(110, holding(0, 105))
  const looked = await step(111, holding(0, 111))

  expect(later).toEqual([])
  expect(looked).toEqual([waiting])
})

test('what was offered within the quiet time before the last look is left alone', async () => {
  await offered(QUIET_SECONDS + 2)
  const long = await offered(60)
  await step(100, holding(0, 100))

  expect(await step(120, holding(0, 116))).toEqual([long])
})

test('after a failure nothing counts as empty before it is seen empty again', async () => {
  await offered(60)
  await step(100, holding(0, 100))
  lostTasks.forget()

  expect(await step(110, holding(0, 110))).toEqual([])
})
