// A subscription over a connection that answers when the test says so, by a clock that the test turns.
import { afterEach, beforeEach, vi } from 'vitest'
import type { Delivery } from '../../src/broker/delivery.ts'
import type { Connection } from '../../src/broker/session.ts'
import { type Subscription, subscribe } from '../../src/broker/subscription.ts'
import { topologyOf } from '../../src/broker/topology.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Answers, aConnection, type StandIn, type StandInChannel } from './stand-ins.ts'

export const QUEUE = 'mail'
export const PREFETCH = 3

interface SubscriptionUnderTest extends StandIn {
  readonly session: Connection
  readonly subscription: Subscription
  readonly deliveries: Delivery[]
  /** May be changed: calls from then on are answered so. */
  readonly answers: Answers
  /** The channels that were to deliver; those of the topology are left out. */
  receiving(): StandInChannel[]
  /** The last of them. */
  present(): StandInChannel
}

const stands: StandIn[] = []

/** Has time stand still in every test of the file, and ends what the test began. */
export function withClockStopped(): void {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => {
    for (const { connection, channels } of stands.splice(0)) {
      connection.fail('the test is over')
      for (const channel of channels) channel.emit('close')
    }
    vi.useRealTimers()
  })
}

/** Lets milliseconds pass, and whatever follows from that happen. */
export const passed = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

/** Subscribes; what needs no time has happened. */
export async function subscribed(answers: Answers = {}): Promise<SubscriptionUnderTest> {
  const stand = aConnection({ answers })
  stands.push(stand)
  const { connection: session } = stand
  const deliveries: Delivery[] = []
  const topology = topologyOf([QUEUE], [])
  const onDelivery = (delivery: Delivery): void => void deliveries.push(delivery)
  const subscription = subscribe({ session, topology, queue: QUEUE, prefetch: PREFETCH, log: silentLog, onDelivery })
  await passed(0)
  const receiving = (): StandInChannel[] => stand.channels.filter(({ called }) => called.includes('prefetch'))
  const present = (): StandInChannel => receiving().at(-1) as StandInChannel
  return { ...stand, session, subscription, deliveries, answers, receiving, present }
}
