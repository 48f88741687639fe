// Promise: RabbitMQ may lose all its data. Every task that waited in it is found missing, counted, and finishes.
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Rabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { managementOf, type VhostManagement } from '../support/broker.ts'
import { copiesOf, notDoneOnce, recordReoffers, submitBulk } from '../support/bulk.ts'
import { metric, withNightshift } from '../support/nightshift.ts'
import { aRabbitmq } from '../support/servers.ts'
import { until } from '../support/until.ts'

const WAITING = 3_000
const WORK_QUEUE = 'nightshift.task.trial.v1'
const RUNG = 'nightshift.retry.12s.v1'

// The broker of its own starts more than once, which takes a busy machine half a minute each time.
vi.setConfig({ testTimeout: 300_000 })
let rabbitmq: Rabbitmq
let broker: VhostManagement
beforeAll(async () => {
  rabbitmq = await aRabbitmq()
  broker = managementOf({ url: rabbitmq.url, name: '/', managementUrl: rabbitmq.managementUrl })
})
afterAll(() => rabbitmq.remove())
const nightshift = withNightshift(async () => ({ amqpUrl: rabbitmq.url, env: { NIGHTSHIFT_RETRY_LADDER: '12s' } }))

test('thousands of tasks that wait in the broker finish although it loses them all', async () => {
  const reoffers = await recordReoffers(nightshift)
  const api = await nightshift.startApi()
  const ids = await submitBulk(api, copiesOf(WAITING, { name: 'trial.echo', payload: 'lost and found' }))
  await until('all of them to wait in the broker', async () => (await broker.readyCount(WORK_QUEUE)) === WAITING, {
    withinMs: 60_000,
  })
  await untilPublished()

  await loseEverything()
  await nightshift.startConsumer()
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(await notDoneOnce(nightshift, ids)).toEqual([])
  const times = await reoffers()
  expect(ids.filter((id) => !times.has(id))).toEqual([])
  const offeredAgain = [...times.values()].reduce((sum, each) => sum + each, 0)
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total', { cause: 'lost' })).toBe(offeredAgain)
  await until(
    'nothing left to account for',
    async () => (await metric(api.metricsUrl, 'nightshift_unaccounted_tasks')) === 0,
  )
})

test('what waits on a rung is found too, and what runs meanwhile is not run twice', async () => {
  const reoffers = await recordReoffers(nightshift)
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:2,conversations:2' })
  const slow = await submitBulk(api, copiesOf(400, { name: 'trial.sleep', payload: { ms: 20 } }))
  const climbing = await submitBulk(
    api,
    copiesOf(20, { name: 'trial.fail', payload: { times: 1 }, queue: 'conversations' }),
  )
  await until('the retries to wait on their rung', async () => (await broker.readyCount(RUNG)) === 20)
  await untilPublished()
  const waiting = await broker.readyCount(WORK_QUEUE)

  await loseEverything()
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(waiting).toBeGreaterThan(0)
  expect(await notDoneOnce(nightshift, slow)).toEqual([])
  const times = await reoffers()
  expect(climbing.filter((id) => !times.has(id))).toEqual([])
  const ends = await nightshift.sql(
    'select distinct status, attempt, failures, crashes from finished where task_id = any($1)',
    [climbing],
  )
  expect(ends).toEqual([{ status: 'SUCCESS', attempt: 2, failures: 1, crashes: 0 }])
})

/** Waits until the broker alone knows that the tasks are due. */
async function untilPublished(): Promise<void> {
  await until('an empty outbox', async () => (await nightshift.sql('select id from outbox')).length === 0)
}

async function loseEverything(): Promise<void> {
  await rabbitmq.kill()
  rabbitmq.wipe()
  await rabbitmq.start()
}
