// Promise: a subscription receives as much as its prefetch allows, is made again when the broker takes it away, and lets what it
// delivered be acknowledged after a cancel. What was not acknowledged comes again; what was, does not.
import type { Channel, ConsumeMessage } from 'amqplib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Delivery } from '../../src/broker/delivery.ts'
import { createLink, type Link } from '../../src/broker/link.ts'
import type { Session } from '../../src/broker/session.ts'
import { type Subscription, subscribe } from '../../src/broker/subscription.ts'
import { DEAD_LETTER_QUEUE, declareTopology, topologyOf, workQueue } from '../../src/broker/topology.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { aVhost, managementOf, type Vhost, type VhostManagement } from '../support/broker.ts'
import { until } from '../support/until.ts'

const QUEUE = 'mail'
const PREFETCH = 3
const topology = topologyOf([QUEUE], [])

let vhost: Vhost
let broker: VhostManagement
let link: Link
let session: Session
let subscription: Subscription
let deliveries: Delivery[]
let prepared: (session: Session) => void

beforeEach(async () => {
  vhost = await aVhost()
  broker = managementOf(vhost)
  const first = nextSession()
  link = createLink({
    url: vhost.url,
    name: 'test',
    log: silentLog,
    onSession: async (fresh) => {
      await declareTopology(fresh, topology, silentLog)
      prepared(fresh)
    },
  })
  await link.start()
  session = await first
  deliveries = []
  subscription = open(deliveries)
})
afterEach(async () => {
  await subscription.close()
  await link.stop()
  await vhost.drop()
})

/** Gives the session that comes up next. To be asked before it does. */
function nextSession(): Promise<Session> {
  return new Promise((resolve) => {
    prepared = resolve
  })
}

function open(into: Delivery[], over = session): Subscription {
  const onDelivery = (delivery: Delivery): void => void into.push(delivery)
  return subscribe({ session: over, topology, queue: QUEUE, prefetch: PREFETCH, log: silentLog, onDelivery })
}

async function send(...bodies: string[]): Promise<void> {
  for (const body of bodies) await broker.publishRaw(workQueue(QUEUE), body)
}

const bodies = (of: readonly Delivery[]): string[] => of.map(({ body }) => body.toString())
const untilDelivered = (count: number, of = deliveries) => until(`${count} deliveries`, async () => of.length >= count)
const untilReady = (count: number, queue = workQueue(QUEUE)) =>
  until(`${count} messages ready in ${queue}`, async () => (await broker.readyCount(queue)) === count)

test('no more is delivered than the prefetch allows, and an ack asks for the next', async () => {
  await send('1', '2', '3', '4', '5')
  await untilDelivered(PREFETCH)
  await untilReady(2)
  const first = bodies(deliveries)

  deliveries[0]?.ack()
  await untilDelivered(PREFETCH + 1)

  expect(first).toEqual(['1', '2', '3'])
  expect(bodies(deliveries)).toEqual(['1', '2', '3', '4'])
})

test('what is rejected goes to the dead letters, what is given back comes again', async () => {
  await send('bad', 'later')
  await untilDelivered(2)

  deliveries[0]?.reject()
  deliveries[1]?.requeue()
  await untilDelivered(3)

  expect(bodies(deliveries)).toEqual(['bad', 'later', 'later'])
  await untilReady(1, DEAD_LETTER_QUEUE)
})

test('only the first word about a delivery counts', async () => {
  await send('once', 'next')
  await untilDelivered(2)

  deliveries[0]?.ack()
  deliveries[0]?.requeue()
  deliveries[0]?.ack()
  deliveries[1]?.ack()
  await send('third')
  await untilDelivered(3)

  // A second acknowledgement would have closed the channel, and all would come again.
  expect(bodies(deliveries)).toEqual(['once', 'next', 'third'])
  expect(deliveries.map(({ gone }) => gone.aborted)).toEqual([false, false, false])
})

test('a queue that is deleted is declared and subscribed again, and what it delivered is told to be gone', async () => {
  await send('before')
  await untilDelivered(1)

  await broker.deleteQueue(workQueue(QUEUE))
  await until('the queue to be back', async () => (await broker.queueNames()).includes(workQueue(QUEUE)))
  await send('after')
  await untilDelivered(2)

  expect(bodies(deliveries)).toEqual(['before', 'after'])
  expect(deliveries.map(({ gone }) => gone.aborted)).toEqual([true, false])
})

test('after a cancel nothing more is delivered, and what was can still be acknowledged', async () => {
  await send('held', 'also held')
  await untilDelivered(2)

  await subscription.cancel()
  await send('late')
  await untilReady(1)
  deliveries[0]?.ack()
  await subscription.close()
  await untilReady(2)

  const again: Delivery[] = []
  subscription = open(again)
  await untilDelivered(2, again)
  expect(bodies(deliveries)).toEqual(['held', 'also held'])
  expect(bodies(again).sort()).toEqual(['also held', 'late'])
})

test('closing sends the acks that were just gathered', async () => {
  await send('done')
  await untilDelivered(1)

  deliveries[0]?.ack()
  await subscription.close()

  const again: Delivery[] = []
  subscription = open(again)
  await send('next')
  await untilDelivered(1, again)
  expect(bodies(again)).toEqual(['next'])
})

test('a channel that dies under it is opened again, and what was held comes again', async () => {
  const channels: Channel[] = []
  const watched: Session = Object.create(session, {
    openChannel: {
      value: async () => {
        const channel = await session.openChannel()
        channels.push(channel)
        return channel
      },
    },
    ended: { value: session.ended },
    answered: { value: session.answered.bind(session) },
  })
  await subscription.close()
  subscription = open(deliveries, watched)
  await send('held')
  await untilDelivered(1)

  // An acknowledgement of nothing: the broker closes the channel.
  channels[0]?.ack({ fields: { deliveryTag: 99 } } as ConsumeMessage)
  await untilDelivered(2)
  deliveries[0]?.ack()
  deliveries[1]?.ack()
  await send('next')
  await untilDelivered(3)

  expect(bodies(deliveries)).toEqual(['held', 'held', 'next'])
  expect(deliveries.map(({ gone }) => gone.aborted)).toEqual([true, false, false])
})

test('with its session it ends; an ack then does nothing, and the next session has the delivery again', async () => {
  await send('held')
  await untilDelivered(1)
  const ended = session

  const next = nextSession()
  ended.fail('the test gives it up')
  await until('the delivery to be gone', async () => deliveries[0]?.gone.aborted)
  deliveries[0]?.ack()
  session = await next
  const again: Delivery[] = []
  subscription = open(again)
  await untilDelivered(1, again)

  expect(bodies(again)).toEqual(['held'])
  expect(deliveries).toHaveLength(1)
})
