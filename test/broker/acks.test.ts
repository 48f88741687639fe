// Promise: the acknowledgements of one turn are gathered: an unbroken run from the oldest delivery on is one frame, the others
// go one by one, and none of them is sent twice or lost.
import type { ConsumeMessage } from 'amqplib'
import { expect, test } from 'vitest'
import { Acks } from '../../src/broker/acks.ts'
import { silentLog } from '../../src/runtime/log.ts'

type Sent = readonly [kind: 'ack' | 'nack', message: number, flag: boolean | undefined]

function aChannel(deliveries: number) {
  const sent: Sent[] = []
  const messages = Array.from({ length: deliveries }, () => ({}) as ConsumeMessage)
  const numberOf = (message: ConsumeMessage): number => messages.indexOf(message)
  const acks = new Acks(
    {
      ack: (message, multiple) => void sent.push(['ack', numberOf(message as ConsumeMessage), multiple]),
      nack: (message, _, requeue) => void sent.push(['nack', numberOf(message as ConsumeMessage), requeue]),
    },
    silentLog,
  )
  for (const message of messages) acks.delivered(message)
  const ack = (...numbers: number[]): void => {
    for (const number of numbers) acks.ack(messages[number] as ConsumeMessage)
  }
  return {
    acks,
    ack,
    sent,
    nack: (number: number, requeue: boolean) => acks.nack(messages[number] as ConsumeMessage, requeue),
  }
}

test('an unbroken run from the oldest on is one frame', () => {
  const { acks, ack, sent } = aChannel(5)

  ack(2, 0, 1)
  acks.flush()

  expect(sent).toEqual([['ack', 2, true]])
  expect(acks.unacked).toBe(2)
})

test('what has a gap before it goes by itself, and the gap later too', () => {
  const { acks, ack, sent } = aChannel(4)

  ack(1, 3)
  acks.flush()
  ack(0)
  acks.flush()

  expect(sent).toEqual([
    ['ack', 1, undefined],
    ['ack', 3, undefined],
    ['ack', 0, false],
  ])
  expect(acks.unacked).toBe(1)
})

test('a run ends at what was given back, which is no part of it', () => {
  const { acks, ack, nack, sent } = aChannel(3)

  nack(1, true)
  ack(0, 2)
  acks.flush()

  expect(sent).toEqual([
    ['nack', 1, true],
    ['ack', 2, true],
  ])
  expect(acks.unacked).toBe(0)
})

test('they leave by themselves within the turn', async () => {
  const { ack, sent } = aChannel(2)

  ack(0, 1)
  await new Promise((resolve) => setImmediate(resolve))

  expect(sent).toEqual([['ack', 1, true]])
})

test('those of a later turn leave too', async () => {
  const { ack, sent } = aChannel(2)
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  ack(0)
  await turn()
  ack(1)
  await turn()

  expect(sent).toEqual([
    ['ack', 0, false],
    ['ack', 1, false],
  ])
})

test('a channel that died this moment throws at nobody, and nothing is sent again', () => {
  const dead = () => {
    throw new Error('Channel closed')
  }
  const acks = new Acks({ ack: dead, nack: dead }, silentLog)
  const messages = [0, 1, 2].map(() => ({}) as ConsumeMessage)
  for (const message of messages) acks.delivered(message)
  for (const index of [0, 2]) acks.ack(messages[index] as ConsumeMessage)

  acks.flush()

  expect(acks.unacked).toBe(1)
  expect(() => acks.flush()).not.toThrow()
})
