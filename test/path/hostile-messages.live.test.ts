// Promise: no message that somebody puts straight into a work queue ends a consumer, goes round in circles or vanishes
// unaccounted for, and the tasks behind it run.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createManagement } from '../../scripts/servers/management.ts'
import { aVhost, managementOf, type Vhost, type VhostManagement } from '../support/broker.ts'
import { copiesOf, notDoneOnce, submitBulk } from '../support/bulk.ts'
import { type ApiProcess, call, finished, metric, submit, withNightshift } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'
import { field, longString, nestedTables, publishBytes } from '../support/raw-amqp.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'

const WORK_QUEUE = 'nightshift.task.trial.v1'
const DEAD_LETTERS = 'nightshift.dlq.v1'
const NOBODY = '01a2010d-bb36-7032-89c4-23aeb655cd4b'

let vhost: Vhost
let broker: VhostManagement
let api: ApiProcess
let consumer: RunningProcess
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await vhost.drop()
})
const nightshift = withNightshift(async () => {
  vhost = await aVhost()
  broker = managementOf({ ...vhost, managementUrl: shared().managementUrl })
  return { amqpUrl: vhost.url, env: { NIGHTSHIFT_QUEUES: 'trial:4' } }
})
beforeEach(async () => {
  api = await nightshift.startApi()
  consumer = await nightshift.startConsumer()
})

const UNREADABLE = [
  { body: 'hello', reason: 'the body is not JSON' },
  { body: '', reason: 'the body is not JSON' },
  { body: Buffer.from([0xff, 0x00, 0xfe]), reason: 'the body is not JSON' },
  { body: 'null', reason: 'the body is not a JSON object' },
  { body: '['.repeat(400) + ']'.repeat(400), reason: 'the body is not a JSON object' },
  { body: JSON.stringify({ v: 2, id: NOBODY, attempt: 1 }), reason: 'the version is 2, not 1' },
  {
    body: JSON.stringify({ v: '\u0000\ud800', id: NOBODY, attempt: 1 }),
    reason: 'the version is "\\u0000\\ud800", not 1',
  },
  { body: JSON.stringify({ v: 1, id: `${NOBODY}' or true --`, attempt: 1 }), reason: 'the id is not a UUID' },
  { body: JSON.stringify({ v: 1, id: NOBODY }), reason: 'the attempt is not a whole number from 1 to 1000000' },
  {
    body: JSON.stringify({ v: 1, id: NOBODY, attempt: 0 }),
    reason: 'the attempt is not a whole number from 1 to 1000000',
  },
  {
    body: JSON.stringify({ v: 1, id: NOBODY, attempt: 1, pad: 'x'.repeat(9_000) }),
    reason: 'the body has 9072 bytes, over 1024',
  },
]

test('messages that cannot be understood are recorded, and stand in the dead-letter queue', async () => {
  for (const { body } of UNREADABLE) await broker.publishRaw(WORK_QUEUE, body)
  await tasksBehindRun()

  const kept = await nightshift.sql<{ reason: string }>('select queue, reason, body from unreadable_message')
  expect(kept.map(({ reason }) => reason).sort()).toEqual(UNREADABLE.map(({ reason }) => reason).sort())
  expect(kept).toContainEqual({ queue: 'trial', reason: 'the body is not JSON', body: Buffer.from([0xff, 0x00, 0xfe]) })
  await until(
    'each in the dead-letter queue',
    async () => (await broker.readyCount(DEAD_LETTERS)) === UNREADABLE.length,
  )
  expect(await counted('nightshift_deliveries_nacked_total')).toBe(UNREADABLE.length)
  unharmed()
})

test('messages that name no waiting attempt are dropped and counted, and change no task', async () => {
  const done = await submit(api, { name: 'trial.echo', payload: 1 })
  const running = await submit(api, { name: 'trial.sleep', payload: { ms: 600_000 } })
  const delayed = await submit(api, { name: 'trial.fail', payload: { times: 1 }, delay: '1h' })
  const retrying = await submit(api, { name: 'trial.fail', payload: { times: 1, notBefore: '1h' } })
  await finished(api, done)
  const stateOf = (id: string) => nightshift.sql('select * from unfinished where task_id = $1', [id])
  await until('the others to be where they stay', async () => {
    const rows = await nightshift.sql<{ status: string }>('select status from unfinished')
    return ['PENDING', 'RETRYING', 'RUNNING'].every((each) => rows.some(({ status }) => status === each))
  })
  const before = [await stateOf(running), await stateOf(delayed), await stateOf(retrying)]
  const messages = [
    { id: NOBODY, attempt: 1 },
    { id: done, attempt: 1 },
    { id: done, attempt: 2 },
    { id: delayed, attempt: 2 },
    { id: delayed, attempt: 1_000_000 },
    { id: retrying, attempt: 1 },
    { id: retrying, attempt: 1_000_000 },
  ]
  // Their consumer runs the task, so it keeps these until the task ends.
  const kept = [
    { id: running, attempt: 2 },
    { id: running, attempt: 1_000_000 },
  ]
  const drops = (count: number) => async () => (await counted('nightshift_duplicates_dropped_total')) === count

  for (const each of [...kept, ...messages]) await broker.publishRaw(WORK_QUEUE, JSON.stringify({ v: 1, ...each }))
  await until('all others to be dropped', drops(messages.length))
  await tasksBehindRun()
  const after = [await stateOf(running), await stateOf(delayed), await stateOf(retrying)]
  await call(api, 'POST', `/api/v1/tasks/${running}/cancel`)
  await until('the kept to be dropped', drops(messages.length + kept.length))

  expect(after).toEqual(before)
  expect((await finished(api, running)).attempt).toBe(1)
  expect(await broker.readyCount(DEAD_LETTERS)).toBe(0)
  unharmed()
})

test('tasks of a type that this consumer does not know are parked, and charged nothing when another one runs them', async () => {
  await stop(consumer)
  const older = await nightshift.startConsumer({ NIGHTSHIFT_PACKS: 'conversation' })
  await broker.publishRaw(WORK_QUEUE, JSON.stringify({ v: 1, id: NOBODY, attempt: 1 }), { type: 'no.such.task' })
  const ids = await submitBulk(api, copiesOf(50, { name: 'trial.echo', payload: 'new' }))
  await until('all to be parked', async () => {
    const parked = await nightshift.sql(
      `select o.task_id from outbox o join unfinished u using (task_id)
        where u.status = 'PENDING' and u.attempt = 0 and o.attempt = 1 and o.due_at > now() + interval '5 s'`,
    )
    return parked.length === ids.length
  })
  await stop(older)

  await nightshift.sql('update outbox set due_at = now()')
  await nightshift.startConsumer()
  await nightshift.untilAllFinished()

  expect(await notDoneOnce(nightshift, ids)).toEqual([])
  const parkings = older.log.filter(({ msg }) => msg === 'no handler for this task, parked')
  expect(parkings.map(({ task_id }) => task_id).sort()).toEqual([NOBODY, ...ids].sort())
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total')).toBe(0)
  expect(await nightshift.sql('select from unreadable_message')).toEqual([])
})

const HEADERS = [
  { what: '100 KiB of headers', headers: field('big', 'S', longString('x'.repeat(100 * 1_024))) },
  { what: 'header tables nested 50 deep', headers: nestedTables(50) },
  {
    what: 'a header named __proto__',
    headers: field('__proto__', 'F', longString(field('type', 'S', longString('no.such')))),
  },
]

test.each(HEADERS)('a wake-up with $what is a wake-up like any other', async ({ headers }) => {
  const id = await submit(api, { name: 'trial.echo', payload: 'behind the headers', delay: '1h' })

  await publishBytes(vhost.url, { routingKey: WORK_QUEUE, body: JSON.stringify({ v: 1, id, attempt: 1 }), headers })
  await publishBytes(vhost.url, { routingKey: WORK_QUEUE, body: 'not JSON', headers })
  const task = await finished(api, id)
  await tasksBehindRun()

  expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(await nightshift.sql('select reason from unreadable_message')).toEqual([{ reason: 'the body is not JSON' }])
  await until('the other in the dead-letter queue', async () => (await broker.readyCount(DEAD_LETTERS)) === 1)
  unharmed()
})

test('a message that no AMQP client can decode is set aside by the broker, and the consumer works on', async () => {
  // In earnest the broker sets it aside after 50 deliveries.
  const policy = { pattern: '^nightshift\\.task', definition: { 'delivery-limit': 8 }, 'apply-to': 'queues' }
  await createManagement(shared().managementUrl).call('PUT', `policies/${vhost.name}/sooner`, policy)

  await publishBytes(vhost.url, { routingKey: WORK_QUEUE, body: 'boom', headers: nestedTables(4_000) })
  await until('it in the dead-letter queue', async () => (await broker.readyCount(DEAD_LETTERS)) === 1, {
    withinMs: 90_000,
  })
  await tasksBehindRun()

  expect(consumer.log.filter(({ trouble }) => trouble === 'Maximum call stack size exceeded')).toHaveLength(9)
  expect(consumer.log.filter(({ msg }) => msg === 'consumer life begins')).toHaveLength(1)
})

/** Submits ordinary tasks and waits until each has run once; by then the queue is empty. */
async function tasksBehindRun(): Promise<void> {
  const ids = await submitBulk(api, copiesOf(20, { name: 'trial.echo', payload: 'behind' }))
  await until('the tasks behind', async () => (await notDoneOnce(nightshift, ids)).length === 0, { withinMs: 60_000 })
  expect(await broker.readyCount(WORK_QUEUE)).toBe(0)
}

/** Expects that the consumer still lives its first life on its first connection. */
function unharmed(): void {
  const said = (msg: string) => consumer.log.filter((line) => line.msg === msg).length
  expect({
    lives: said('consumer life begins'),
    connections: said('broker connection is up'),
    subscriptions: said('subscribed'),
    failures: said('a delivery could not be handled, the broker redelivers it'),
  }).toEqual({ lives: 1, connections: 1, subscriptions: 1, failures: 0 })
}

async function counted(name: string): Promise<number> {
  return metric(`http://127.0.0.1:${(await consumer.ready).metricsPort}/metrics`, name)
}

async function stop(process: RunningProcess): Promise<void> {
  process.kill()
  await process.exit
}
