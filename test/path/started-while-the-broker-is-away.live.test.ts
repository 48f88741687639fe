// Promise: what starts while the broker is away accepts what ten minutes bring with 202, until the outbox is full, and goes to
// work when the broker comes.
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { Rabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { type ApiProcess, aNightshift, call, type Nightshift } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { aRabbitmq } from '../support/servers.ts'
import { until } from '../support/until.ts'

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
