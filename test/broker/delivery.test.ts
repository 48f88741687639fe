// Promise: a delivery is answered once, by the first word about it, and not at all once its channel is gone. What its properties
// say is read only where it is what it should be.
import { beforeEach, expect, test } from 'vitest'
import { Acks } from '../../src/broker/acks.ts'
import { AmqpDelivery } from '../../src/broker/delivery.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { metrics } from '../../src/runtime/metrics.ts'
import { aMessage, StandInChannel } from './stand-ins.ts'

const QUEUE = 'mail'

beforeEach(() => {
  metrics.deliveriesAcked.reset()
  metrics.deliveriesNacked.reset()
})

function delivered(properties: Readonly<Record<string, unknown>> = {}) {
  const channel = new StandInChannel({})
  const acks = new Acks(channel, silentLog)
  const gone = new AbortController()
  const message = aMessage('body', properties)
  acks.delivered(message)
  return { channel, acks, gone, delivery: new AmqpDelivery(message, QUEUE, acks, gone.signal) }
}

async function counted(): Promise<{ acked: number; nacked: number }> {
  const [acked, nacked] = await Promise.all([metrics.deliveriesAcked.get(), metrics.deliveriesNacked.get()])
  return { acked: acked.values[0]?.value ?? 0, nacked: nacked.values[0]?.value ?? 0 }
}

type Word = 'ack' | 'reject' | 'requeue'

test.each<[Word, unknown[], object]>([
  ['ack', ['ack', 'body', false], { acked: 1, nacked: 0 }],
  ['reject', ['nack', 'body', false], { acked: 0, nacked: 1 }],
  ['requeue', ['nack', 'body', true], { acked: 0, nacked: 0 }],
])('after %s nothing else counts', async (first, sent, figures) => {
  const { delivery, acks, channel } = delivered()

  delivery[first]()
  for (const word of ['ack', 'reject', 'requeue', first] as const) delivery[word]()
  acks.flush()

  expect(channel.acks).toEqual([sent])
  expect(await counted()).toEqual(figures)
})

test.each<Word>(['ack', 'reject', 'requeue'])('%s says nothing on a channel that is gone', async (word) => {
  const { delivery, acks, channel, gone } = delivered()

  gone.abort()
  delivery[word]()
  acks.flush()

  expect(channel.acks).toEqual([])
  expect(await counted()).toEqual({ acked: 0, nacked: 0 })
})

test.each<Word>(['reject', 'requeue'])(
  '%s on a channel that dies this moment does not throw, and is not counted',
  async (word) => {
    const { delivery, channel } = delivered()
    channel.nack = () => {
      throw new Error('Channel closed')
    }

    delivery[word]()

    expect(await counted()).toEqual({ acked: 0, nacked: 0 })
  },
)

test('type and moment are read', () => {
  const { delivery } = delivered({ type: 'mail.send', headers: { 'x-published-at': 1_700_000_000_000 } })

  expect(delivery).toMatchObject({ queue: QUEUE, taskName: 'mail.send', publishedAt: 1_700_000_000_000 })
  expect(delivery.body.toString()).toBe('body')
})

test.each([undefined, 7, { toString: null }, null])('a type that is no text is none: %j', (type) => {
  expect(delivered({ type, headers: undefined }).delivery).toMatchObject({
    taskName: undefined,
    publishedAt: undefined,
  })
})
