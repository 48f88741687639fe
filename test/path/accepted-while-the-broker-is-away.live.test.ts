// Promise: whatever the broker does (healthy, stopped, blocked by its memory alarm), tasks are answered with 202 and
// nothing else until the outbox is full, and when it is well again every one of them finishes, retries included.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { Rabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { type ApiProcess, aNightshift, call, type Nightshift } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { aRabbitmq } from '../support/servers.ts'
import { until } from '../support/until.ts'

/** How many tasks are accepted, at least, in each state of the broker. */
const EACH = 100
const OUTBOX_HIGH = 4_000

failOnLeftovers()
// The broker of its own starts more than once, which takes a busy machine half a minute each time.
vi.setConfig({ testTimeout: 300_000 })
let rabbitmq: Rabbitmq
let nightshift: Nightshift
beforeAll(async () => {
  rabbitmq = await aRabbitmq()
})
afterAll(() => rabbitmq.remove())
afterEach(() => nightshift.remove())

test('tasks that all fail and want their retry are accepted and finish, through a stop and an alarm', async () => {
  nightshift = await aNightshift({ amqpUrl: await rabbitmq.addVhost('well-and-away') })
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:5' })
  const load = keepSubmitting(api)

  await load.acceptMore()
  await until('retries under a healthy broker', async () => (await retried()) > 0, { withinMs: 60_000 })

  await rabbitmq.stop()
  await load.acceptMore()
  await rabbitmq.start()
  const soFar = await retried()
  await until('retries after the stop', async () => (await retried()) > soFar, { withinMs: 90_000 })

  await rabbitmq.blockPublishers()
  await api.waitForLog(({ msg }) => msg === 'broker blocks publishers', { withinMs: 60_000 })
  await load.acceptMore()
  await until('retries that cannot be published', async () => (await waitingRetries()) > 0, { withinMs: 60_000 })
  await rabbitmq.unblockPublishers()
  const { ids, answers } = await load.stop()
  await nightshift.untilAllFinished({ withinMs: 120_000 })

  expect(answers).toEqual(new Set([202]))
  const ends = await nightshift.sql(
    `select f.status, f.attempt, f.failures, count(*)::int as tasks
       from unnest($1::uuid[]) as wanted(id) left join finished f on f.task_id = wanted.id group by 1, 2, 3`,
    [ids],
  )
  expect(ends).toEqual([{ status: 'SUCCESS', attempt: 3, failures: 2, tasks: ids.length }])
})

test('who starts while the broker is away takes in what ten minutes bring, and goes to work when it comes', async () => {
  const env = { NIGHTSHIFT_DEPTH_LOW: '100', NIGHTSHIFT_DEPTH_HIGH: '200', NIGHTSHIFT_OUTBOX_HIGH: String(OUTBOX_HIGH) }
  nightshift = await aNightshift({ amqpUrl: await rabbitmq.addVhost('late'), env })
  await rabbitmq.stop()
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({}, { subscribed: false })
  const metricsPort = (await consumer.ready).metricsPort
  const consumerReady = async () => (await fetch(`http://127.0.0.1:${metricsPort}/health/ready`)).status
  await until('the api to be ready', async () => (await call(api, 'GET', '/health/ready')).status === 200)
  const readyWhileAway = await consumerReady()
  // Five a second for ten minutes, as fast as it goes.
  const outage = await sendMany(api, 3_000)
  // Then on, until the outbox is full.
  const over = await sendMany(api, OUTBOX_HIGH / 2)
  const inOutbox = await outboxRows()

  await rabbitmq.start()
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(readyWhileAway).toBe(503)
  expect(new Set(outage.refused)).toEqual(new Set())
  expect(over.refused.length).toBeGreaterThan(OUTBOX_HIGH / 8)
  expect(new Set(over.refused)).toEqual(new Set([`429, limit ${OUTBOX_HIGH}`]))
  expect(inOutbox).toBe(outage.ids.length + over.ids.length)
  expect(inOutbox).toBeLessThanOrEqual(OUTBOX_HIGH * 1.1)
  expect(await consumerReady()).toBe(200)
  await until('all to be let in again', async () => (await sendMany(api, 50)).refused.length === 0)
  await nightshift.untilAllFinished()
  const ids = [...outage.ids, ...over.ids]
  const [row] = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from finished where task_id = any($1) and status = 'SUCCESS'`,
    [ids],
  )
  expect(row?.tasks).toBe(ids.length)
})

/** Submits so many tasks, 32 at a time, and tells which were accepted and what the others were answered. */
async function sendMany(api: ApiProcess, tasks: number): Promise<{ ids: string[]; refused: string[] }> {
  const ids: string[] = []
  const refused: string[] = []
  let left = tasks
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, body } = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: 1 })
      if (status === 202) ids.push(body.id)
      else refused.push(`${status}, limit ${body.limit}`)
    }
  }
  await Promise.all(Array.from({ length: 32 }, send))
  return { ids, refused }
}

async function outboxRows(): Promise<number> {
  return (await nightshift.sql<{ tasks: number }>('select count(*)::int as tasks from outbox'))[0]?.tasks as number
}

async function retried(): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>('select count(*)::int as tasks from finished where attempt = 3')
  return rows[0]?.tasks ?? 0
}

/** Counts failed tasks whose retry waits in the outbox, long due, because the broker takes nothing. */
async function waitingRetries(): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from outbox where attempt > 1 and due_at < now() - interval '1 s'`,
  )
  return rows[0]?.tasks ?? 0
}

interface Load {
  /** Resolves when EACH further tasks were answered, all of them asked for from now on. */
  acceptMore(): Promise<void>
  stop(): Promise<{ ids: string[]; answers: Set<number> }>
}

/** Submits failing tasks, four at a time and at a pace that two cores can work off, until told to stop. */
function keepSubmitting(api: ApiProcess): Load {
  const stopping = new AbortController()
  const ids: string[] = []
  const answers = new Set<number>()
  let answered = 0
  const submit = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { status, body } = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.fail', payload: { times: 2 } })
      answers.add(status)
      answered += 1
      if (status === 202) ids.push(body.id)
      await sleep(50)
    }
  }
  const submitting = Promise.all(Array.from({ length: 4 }, submit))
  // A test that fails early does not wait for it.
  submitting.catch(() => undefined)
  return {
    async acceptMore() {
      const enough = answered + EACH + 4
      await until(`${EACH} more answers`, () => answered >= enough, { withinMs: 90_000 })
    },
    async stop() {
      stopping.abort()
      await submitting
      return { ids, answers }
    },
  }
}
