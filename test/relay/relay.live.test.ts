// Promise: the relay removes a row of the outbox only when the broker confirmed its message, moves what it refused out of the
// way, and leaves what it did not answer to be published again. On a real database; the broker's answers are the test's.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Outgoing, Published } from '../../src/broker/outgoing.ts'
import type { Publisher } from '../../src/broker/publisher.ts'
import type { NewTask } from '../../src/core/new-task.ts'
import { createRelay, type Relay } from '../../src/relay/relay.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { until } from '../support/until.ts'

let database: Database
let db: Db
let relay: Relay
let room: number
let looks: number
let published: Outgoing[]
/** What the broker answers to the messages of a task; confirmed unless told. */
let answers: Map<string, Published | Promise<Published>>

const publisher: Pick<Publisher, 'room' | 'publish'> = {
  get room() {
    looks += 1
    return room
  },
  publish: async (outgoing) => {
    published.push(outgoing)
    return answers.get(outgoing.wakeUp.id) ?? 'confirmed'
  },
}

beforeEach(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 3, name: 'relay', log: silentLog })
  room = 100
  looks = 0
  published = []
  answers = new Map()
  relay = createRelay({ db, publisher: publisher as Publisher, log: silentLog })
})

afterEach(async () => {
  await relay.stop()
  await db.close()
  await database.drop()
})

interface Row {
  readonly tries: number
  readonly isClaimed: boolean
  readonly isDue: boolean
}

async function rows(): Promise<Row[]> {
  return db.query<Row>({
    text: `select tries, claimed_until > now() as "isClaimed", due_at <= now() as "isDue" from outbox order by id`,
  })
}

/** Commits tasks as the gateway does, their rows claimed for `claimSeconds`. */
async function committed(tasks: readonly NewTask[], claimSeconds: number) {
  const accepted = await accept(db, tasks, claimSeconds, 'test')
  return accepted.map((one, index) => {
    if (one.kind !== 'accepted') throw new Error(`not accepted: ${one.kind}`)
    return { outboxId: one.outboxId, task: tasks[index] as NewTask }
  })
}

const untilOutbox = (length: number) =>
  until(`${length} rows in the outbox`, async () => (await rows()).length === length)

test('what was just committed is published at once, and its rows go when they are confirmed', async () => {
  const tasks = [aTask(), aTask({ queue: 'other' })]
  const claimSeconds = relay.reserve(2)

  const confirmed = await relay.publish(await committed(tasks, claimSeconds))

  expect(confirmed).toEqual([true, true])
  expect(published).toMatchObject(
    tasks.map(({ id, queue, requestId }) => ({
      wakeUp: { id, attempt: 1, alone: false },
      queue,
      rungMs: 0,
      requestId,
    })),
  )
  await untilOutbox(0)
})

test('what nobody publishes is found by the sweep', async () => {
  const task = aTask()
  await committed([task], 0)

  await relay.start()

  await untilOutbox(0)
  expect(published.map(({ wakeUp }) => wakeUp.id)).toEqual([task.id])
})

test('what another process has claimed is left to it', async () => {
  await committed([aTask()], 60)
  const mine = aTask()
  await committed([mine], 0)

  await relay.start()

  await untilOutbox(1)
  expect(published.map(({ wakeUp }) => wakeUp.id)).toEqual([mine.id])
})

test.for(['returned', 'nacked'] as const)('what is %s waits a while, out of the way of the others', async (answer) => {
  const [bad, good] = [aTask(), aTask()]
  answers.set(bad.id, answer)

  const confirmed = await relay.publish(await committed([bad, good], relay.reserve(2)))

  expect(confirmed).toEqual([false, true])
  await untilOutbox(1)
  await until('the row to be moved', async () => (await rows())[0]?.tries === 1)
  expect(await rows()).toEqual([{ tries: 1, isClaimed: false, isDue: false }])
})

test('what is not answered keeps its claim, so that nobody publishes it again too soon', async () => {
  const [unknown, good] = [aTask(), aTask()]
  answers.set(unknown.id, 'unknown')

  const confirmed = await relay.publish(await committed([unknown, good], relay.reserve(2)))

  expect(confirmed).toEqual([false, true])
  await untilOutbox(1)
  expect(await rows()).toEqual([{ tries: 0, isClaimed: true, isDue: true }])
})

test('room is promised once, and given back', () => {
  room = 5

  expect(relay.reserve(3)).toBeGreaterThan(0)
  expect(relay.reserve(3)).toBe(0)
  relay.release(3)
  expect(relay.reserve(5)).toBeGreaterThan(0)
  expect(relay.reserve(1)).toBe(0)
})

test('what is published gives its room back', async () => {
  room = 1
  const fresh = await committed([aTask()], relay.reserve(1))
  const without = relay.reserve(1)
  await relay.publish(fresh)

  expect(without).toBe(0)
  expect(relay.reserve(1)).toBeGreaterThan(0)
})

test('while there is no room the sweep claims nothing, and once there is it goes on', async () => {
  room = 0
  await committed([aTask(), aTask()], 0)
  await relay.start()
  await until('sweeps to have looked for room', async () => looks >= 3)
  const meanwhile = await rows()

  room = 1
  await untilOutbox(0)
  expect(meanwhile.map(({ isClaimed }) => isClaimed)).toEqual([false, false])
  expect(published).toHaveLength(2)
})

test('a stop waits for what is under way, and settles it', async () => {
  const slow = aTask()
  const answer = Promise.withResolvers<Published>()
  answers.set(slow.id, answer.promise)
  const confirmed = relay.publish(await committed([slow], relay.reserve(1)))

  let isStopped = false
  const stopped = relay.stop().then(() => {
    isStopped = true
  })
  await until('the message to be sent', async () => published.length === 1)
  const early = isStopped
  answer.resolve('confirmed')
  await stopped

  expect(early).toBe(false)
  expect(await confirmed).toEqual([true])
  expect(await rows()).toEqual([])
})
