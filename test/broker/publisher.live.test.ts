// Promise: the publisher says of each message what the broker made of it, and says confirmed only after the broker's own
// confirm. Nothing is answered twice, and nothing for longer than the confirm timeout.
import { connect } from 'amqplib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Outgoing } from '../../src/broker/outgoing.ts'
import { CONFIRM_TIMEOUT_MS, createPublisher, type Publisher } from '../../src/broker/publisher.ts'
import { topologyOf, workQueue } from '../../src/broker/topology.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { aVhost, managementOf, type Vhost } from '../support/broker.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { until } from '../support/until.ts'

const RECYCLE_AFTER = 5

let vhost: Vhost
let proxy: FaultProxy
let publisher: Publisher
beforeEach(async () => {
  vhost = await aVhost()
  proxy = await startFaultProxy({ targetPort: Number(new URL(vhost.url).port) })
  const topology = topologyOf(['mail', 'reports'], [])
  const url = proxy.url(vhost.url)
  publisher = createPublisher({ url, name: 'test', log: silentLog, topology, recycleAfter: RECYCLE_AFTER })
  await publisher.link.start()
  await until('the publisher to be ready', async () => publisher.room > 0)
})
afterEach(async () => {
  proxy.pass()
  await publisher.link.stop()
  await proxy.stop()
  await vhost.drop()
})

let made = 0
function aMessage(change: Partial<Outgoing> = {}): Outgoing {
  made += 1
  return {
    outboxId: String(made),
    wakeUp: { id: '01890000-0000-7000-8000-000000000000', attempt: 1, alone: false },
    queue: 'mail',
    rungMs: 0,
    taskName: 'mail.send',
    requestId: 'request-1',
    client: 'shop',
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`,
    tracestate: null,
    ...change,
  }
}

const publishMany = (count: number, change: Partial<Outgoing> = {}) =>
  Promise.all(Array.from({ length: count }, () => publisher.publish(aMessage(change))))

/** Reads one message from a queue as a foreign consumer would. */
async function receive(queue: string) {
  const connection = await connect(vhost.url)
  const channel = await connection.createChannel()
  const message = await channel.get(workQueue(queue), { noAck: true })
  await connection.close()
  if (!message) throw new Error(`nothing waits in ${queue}`)
  return message
}

test('what the broker has stored is confirmed, with properties and headers that any consumer can read', async () => {
  const message = aMessage({ tracestate: 'vendor=1' })

  expect(await publisher.publish(message)).toBe('confirmed')
  const got = await receive('mail')
  expect(got.properties).toMatchObject({
    messageId: message.outboxId,
    correlationId: 'request-1',
    type: 'mail.send',
    deliveryMode: 2,
    contentType: 'application/json',
  })
  expect(got.properties.headers).toMatchObject({
    traceparent: message.traceparent,
    tracestate: 'vendor=1',
    'x-request-id': 'request-1',
    'x-client': 'shop',
  })
})

test('a message is not called confirmed before the confirm has come', async () => {
  // The broker hears it and its answer is lost: whoever does not wait for the answer would say confirmed.
  await publisher.publish(aMessage())
  proxy.blackhole('down')

  const answer = await publisher.publish(aMessage())

  expect(answer).toBe('unknown')
}, 30_000)

test('what no queue takes is returned, by its own id, and what is taken beside it is confirmed', async () => {
  await managementOf(vhost).deleteQueue(workQueue('mail'))

  const answers = await Promise.all([publisher.publish(aMessage()), publisher.publish(aMessage({ queue: 'reports' }))])

  expect(answers).toEqual(['returned', 'confirmed'])
  // It is declared again by itself, and bound a moment later.
  await until('the queue to be back', async () => (await publisher.publish(aMessage())) === 'confirmed')
})

test('what a full queue refuses is nacked', async () => {
  const connection = await connect(vhost.url)
  const channel = await connection.createChannel()
  await channel.deleteQueue(workQueue('mail'))
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' }
  await channel.assertQueue(workQueue('mail'), { durable: true, arguments: full })
  await channel.bindQueue(workQueue('mail'), 'nightshift.task', '*.mail')
  await connection.close()

  const answers = [await publisher.publish(aMessage()), await publisher.publish(aMessage())]

  expect(answers).toEqual(['confirmed', 'nacked'])
})

test('when the session ends, everything that waits is unknown at once, and there is no room', async () => {
  proxy.blackhole('down')
  const waiting = publishMany(20)
  await until('them to be on their way', async () => publisher.room < 2_048)

  const began = performance.now()
  proxy.refuse()

  expect(new Set(await waiting)).toEqual(new Set(['unknown']))
  expect(performance.now() - began).toBeLessThan(CONFIRM_TIMEOUT_MS)
  expect(publisher.room).toBe(0)
  expect(await publisher.publish(aMessage())).toBe('unknown')
})

test('what waits takes room, and gives it back', async () => {
  proxy.blackhole('both')
  const waiting = publishMany(48)
  const meanwhile = publisher.room
  proxy.reset()
  await waiting
  proxy.pass()
  await until('a new session', async () => publisher.room > 0)

  expect(meanwhile).toBe(2_000)
  expect(publisher.room).toBe(2_048)
}, 60_000)

test('messages to one queue keep their order, and channels are replaced without losing any', async () => {
  const messages = Array.from({ length: RECYCLE_AFTER * 4 + 1 }, () => aMessage())

  const answers = await Promise.all(messages.map((message) => publisher.publish(message)))
  const stored: string[] = []
  for (const _ of messages) stored.push(String((await receive('mail')).properties.messageId))

  expect(new Set(answers)).toEqual(new Set(['confirmed']))
  expect(new Set(stored)).toEqual(new Set(messages.map(({ outboxId }) => outboxId)))
  expect(publisher.room).toBe(2_048)
})
