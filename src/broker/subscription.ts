/**
 * Receives from one work queue. A queue that was deleted, a channel that failed or a broker that cancelled us is
 * noticed and repaired: a consumer that looks alive and receives nothing is the worst kind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, ConsumeMessage } from 'amqplib'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { TracedDelivery } from '../runtime/tracing/contract.ts'
import { tracing } from '../runtime/tracing.ts'
import { aborted } from '../runtime/wait.ts'
import { type Acks, createAcks } from './acks.ts'
import { NoAnswer, type Session } from './session.ts'
import { declareTopology, type Topology, workQueue } from './topology.ts'

export interface Delivery {
  readonly queue: string
  readonly body: Buffer
  /** The task's name by the message's `type`; the database knows better. */
  readonly taskName: string | undefined
  /** When it was published, milliseconds since 1970, as its header says; undefined when it does not say a moment. */
  readonly publishedAt: number | undefined
  /** Where it was published to, and the trace that its headers name; only while there is tracing. */
  readonly origin: TracedDelivery | undefined
  /** Aborts when the channel that delivered is gone: acknowledging is then impossible, and the broker redelivers. */
  readonly gone: AbortSignal
  /** Removes the message from the queue. Only the first of ack, reject and requeue counts. */
  ack(): void
  /** Sends the message to the broker's dead-letter queue. */
  reject(): void
  /** Gives the message back to the queue. */
  requeue(): void
}

export interface Subscription {
  /** Stops further deliveries; those already here can still be acknowledged. */
  cancel(): Promise<void>
  /** Closes the channel; the broker redelivers whatever was not acknowledged. */
  close(): Promise<void>
}

export interface SubscribeOptions {
  readonly session: Session
  readonly topology: Topology
  readonly queue: string
  /** How many unacknowledged deliveries the broker may have with us: the number of slots. */
  readonly prefetch: number
  readonly log: Log
  /** Takes a delivery; must not throw. */
  readonly onDelivery: (delivery: Delivery) => void
}

/** The year 2200. */
const MOST_MOMENT_MS = 7_258_118_400_000

/** Subscribes, and subscribes again whenever it must, until cancelled or the session ends. */
export function subscribe({ session, topology, queue, prefetch, log, onDelivery }: SubscribeOptions): Subscription {
  const stopped = new AbortController()
  let channel: Channel | undefined
  let acks: Acks | undefined
  let consumerTag: string | undefined

  async function once(): Promise<void> {
    const own = await session.openChannel()
    const gone = new AbortController()
    const ownAcks = createAcks(own, log)
    const closed = new Promise<void>((resolve) => own.once('close', () => resolve()))
    void closed.then(() => gone.abort())
    let held = 0
    const forget = whenAsked(() => metrics.queueUnacked.set({ queue }, held))
    const end = (): void => {
      forget()
      metrics.queueUnacked.set({ queue }, 0)
    }
    gone.signal.addEventListener('abort', end, { once: true })
    const hold = (change: 1 | -1): void => {
      held += change
    }
    let lost: () => void = () => undefined
    const cancelledByBroker = new Promise<void>((resolve) => {
      lost = resolve
    })
    try {
      // Per consumer, never per channel: quorum queues refuse the global kind by closing the connection.
      await session.answered('setting the prefetch', own.prefetch(prefetch, false))
      const consuming = own.consume(workQueue(queue), (message) => {
        // null: the queue was deleted, or the broker cancelled us. The channel looks healthy and stays silent.
        if (message === null) lost()
        else {
          ownAcks.delivered(message)
          onDelivery(deliveryOf(ownAcks, message, queue, gone.signal, hold))
        }
      })
      const { consumerTag: tag } = await session.answered('subscribing', consuming)
      channel = own
      acks = ownAcks
      consumerTag = tag
      log.info({ queue, prefetch }, 'subscribed')
      await Promise.race([closed, cancelledByBroker, aborted(session.ended), aborted(stopped.signal)])
    } finally {
      if (!stopped.signal.aborted) {
        gone.abort()
        own.close().catch(() => undefined)
      }
    }
  }

  async function keep(): Promise<void> {
    let waitMs = 100
    while (!stopped.signal.aborted && !session.ended.aborted) {
      try {
        await once()
        waitMs = 100
      } catch (error) {
        log.warn({ queue, error: (error as Error).message }, 'could not subscribe')
        // The channel might begin to deliver later, to nobody: only a new connection is sure not to.
        if (error instanceof NoAnswer) session.fail((error as Error).message)
      }
      if (stopped.signal.aborted || session.ended.aborted) return
      log.warn({ queue }, 'subscription lost, subscribing again')
      await sleep(waitMs, undefined, { signal: stopped.signal }).catch(() => undefined)
      waitMs = Math.min(waitMs * 2, 5_000)
      await declareTopology(session, topology, log).catch(() => undefined)
    }
  }

  void keep()
  return {
    async cancel() {
      stopped.abort()
      if (channel && consumerTag && !session.ended.aborted) {
        await Promise.race([
          channel.cancel(consumerTag).catch(() => undefined),
          sleep(3_000, undefined, { ref: false }),
        ])
      }
    },
    async close() {
      stopped.abort()
      acks?.flush()
      if (channel && !session.ended.aborted) {
        await Promise.race([channel.close().catch(() => undefined), sleep(3_000, undefined, { ref: false })])
      }
    },
  }
}

function deliveryOf(
  acks: Acks,
  message: ConsumeMessage,
  queue: string,
  gone: AbortSignal,
  hold: (change: 1 | -1) => void,
): Delivery {
  let isSettled = false
  if (!gone.aborted) hold(1)
  // A second acknowledgement of one delivery, or one on a dead channel, would throw or close the channel.
  const settle = (act: () => void): void => {
    if (isSettled || gone.aborted) return
    isSettled = true
    hold(-1)
    try {
      act()
    } catch {
      // The channel died this moment: the broker redelivers, and the claim finds the task settled.
    }
  }
  return {
    queue,
    body: message.content,
    taskName: textOf(message.properties.type),
    publishedAt: publishedAtOf(message),
    origin: tracing.received(message, queue, originOf),
    gone,
    ack: () =>
      settle(() => {
        acks.ack(message)
        metrics.deliveriesAcked.inc({ queue })
      }),
    reject: () =>
      settle(() => {
        acks.nack(message, false)
        metrics.deliveriesNacked.inc({ queue })
      }),
    requeue: () => settle(() => acks.nack(message, true)),
  }
}

/** Anybody may write a header: what is no moment that PostgreSQL can store is as good as nothing. */
function publishedAtOf({ properties }: ConsumeMessage): number | undefined {
  const at: unknown = properties.headers?.['x-published-at']
  return typeof at === 'number' && at > 0 && at < MOST_MOMENT_MS ? at : undefined
}

function originOf({ fields, properties }: ConsumeMessage, queue: string): TracedDelivery {
  return {
    messageId: textOf(properties.messageId),
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    queueName: workQueue(queue),
    traceparent: textOf(properties.headers?.traceparent),
    tracestate: textOf(properties.headers?.tracestate),
  }
}

/** A property that anybody may have set, to anything. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
