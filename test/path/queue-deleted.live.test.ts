// Promise: what somebody deletes on the broker comes back by itself and costs no task; what somebody made there with
// other arguments is named in the log, and the other queues are served all the same.

import { type Channel, connect } from 'amqplib'
import { afterEach, expect, test } from 'vitest'
import { aVhost, managementOf, type Vhost, type VhostManagement } from '../support/broker.ts'
import { copiesOf, notDoneOnce, submitBulk } from '../support/bulk.ts'
import { finished, metric, submit, withNightshift } from '../support/nightshift.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'

const WORK_QUEUE = 'nightshift.task.trial.v1'
const EXCHANGE = 'nightshift.task'

let vhost: Vhost
let broker: VhostManagement
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await vhost.drop()
})
const nightshift = withNightshift(async () => {
  vhost = await aVhost()
  broker = managementOf({ ...vhost, managementUrl: shared().managementUrl })
  return { amqpUrl: vhost.url }
})

test('a work queue deleted under its consumer comes back, and the tasks that went with it finish', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:5' })
  const ids = await submitBulk(api, copiesOf(500, { name: 'trial.sleep', payload: { ms: 20 } }))
  await until('work under way', async () => (await nightshift.outcomes()).SUCCESS)
  const deleted = await broker.readyCount(WORK_QUEUE)

  await broker.deleteQueue(WORK_QUEUE)
  await nightshift.untilAllFinished()

  expect(deleted).toBeGreaterThan(0)
  expect(await notDoneOnce(nightshift, ids)).toEqual([])
  expect(consumer.log.filter(({ msg }) => msg === 'subscribed')).toHaveLength(2)
  expect(consumer.log.filter(({ msg }) => msg === 'consumer life begins')).toHaveLength(1)
})

const DELETED = [
  { what: 'the work queue', away: (channel: Channel) => channel.deleteQueue(WORK_QUEUE) },
  { what: 'its binding', away: (channel: Channel) => channel.unbindQueue(WORK_QUEUE, EXCHANGE, '*.trial') },
  { what: 'the exchange', away: (channel: Channel) => channel.deleteExchange(EXCHANGE) },
]

test.each(DELETED)(
  '$what missing at publish comes back, and what was published meanwhile arrives',
  async ({ away }) => {
    const api = await nightshift.startApi()
    await until('the topology', async () => (await broker.queueNames()).includes(WORK_QUEUE))
    const published = async () => ({
      confirmed: await metric(api.metricsUrl, 'nightshift_published_total', { result: 'confirmed' }),
      refused:
        (await metric(api.metricsUrl, 'nightshift_published_total', { result: 'returned' })) +
        (await metric(api.metricsUrl, 'nightshift_published_total', { result: 'unknown' })),
    })
    const before = await submitBulk(api, copiesOf(20, { name: 'trial.echo', payload: 'before' }))
    await until('a healthy broker', async () => (await published()).confirmed >= 20)

    await asOperator(away)
    const during = await submitBulk(api, copiesOf(20, { name: 'trial.echo', payload: 'during' }))
    await until('the broker to take them', async () => (await nightshift.sql('select from outbox')).length === 0, {
      withinMs: 60_000,
    })
    const { refused } = await published()
    await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:5' })
    await nightshift.untilAllFinished()

    expect(refused).toBeGreaterThan(0)
    expect(await notDoneOnce(nightshift, [...before, ...during])).toEqual([])
  },
)

test('a work queue that exists with other arguments is named, and the other queues are served', async () => {
  await asOperator((channel) => channel.assertQueue(WORK_QUEUE, { durable: true }))
  const isClear = ({ level, problem }: { level: string; problem?: unknown }) =>
    level === 'error' &&
    String(problem).includes(`queue ${WORK_QUEUE}`) &&
    String(problem).includes('PRECONDITION_FAILED')
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:2,conversations:2' })
  const [apiSays, consumerSays] = await Promise.all([api.waitForLog(isClear), consumer.waitForLog(isClear)])

  const other = await submit(api, { name: 'trial.echo', payload: 'other', queue: 'conversations' })
  const stuck = await submit(api, { name: 'trial.echo', payload: 'stuck' })
  const served = await finished(api, other)
  await until(
    'the stuck one to be refused',
    async () => (await metric(api.metricsUrl, 'nightshift_published_total', { result: 'returned' })) > 0,
  )
  const [waiting] = await nightshift.sql('select status, attempt from unfinished where task_id = $1', [stuck])
  await broker.deleteQueue(WORK_QUEUE)
  const healed = await finished(api, stuck, 90_000)

  expect(apiSays.msg).toBe(consumerSays.msg)
  expect(served.status).toBe('SUCCESS')
  expect(waiting).toEqual({ status: 'PENDING', attempt: 0 })
  expect(healed.status).toBe('SUCCESS')
  const starts = [...api.log, ...consumer.log].filter(({ msg }) => msg === 'broker connection is down')
  expect(starts).toEqual([])
})

/** Does something on the broker as its operator would, on a connection of its own. */
async function asOperator(act: (channel: Channel) => Promise<unknown>): Promise<void> {
  const connection = await connect(vhost.url)
  connection.on('error', () => undefined)
  try {
    const channel = await connection.createChannel()
    channel.on('error', () => undefined)
    await act(channel)
  } finally {
    await connection.close()
  }
}
