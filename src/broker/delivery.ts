/** One message as the consumer gets it, to be acknowledged once. */
import type { ConsumeMessage } from 'amqplib'
import { publishedAtOf } from '../core/message.ts'
import { metrics } from '../runtime/metrics.ts'
import type { TracedDelivery } from '../runtime/tracing/contract.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Acks } from './acks.ts'
import { workQueue } from './topology.ts'

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

/** A class, so that a delivery is one object and no closures. */
export class AmqpDelivery implements Delivery {
  readonly queue: string
  readonly body: Buffer
  readonly taskName: string | undefined
  readonly publishedAt: number | undefined
  readonly origin: TracedDelivery | undefined
  readonly gone: AbortSignal
  readonly #message: ConsumeMessage
  readonly #acks: Acks
  #isSettled = false

  constructor(message: ConsumeMessage, queue: string, acks: Acks, gone: AbortSignal) {
    this.queue = queue
    this.body = message.content
    this.taskName = textOf(message.properties.type)
    this.publishedAt = publishedAtOf(message.properties.headers)
    this.origin = tracing.received(message, queue, originOf)
    this.gone = gone
    this.#message = message
    this.#acks = acks
  }

  ack(): void {
    if (!this.#settles()) return
    this.#acks.ack(this.#message)
    metrics.deliveriesAcked.inc({ queue: this.queue })
  }

  reject(): void {
    if (this.#settles() && this.#nack(false)) metrics.deliveriesNacked.inc({ queue: this.queue })
  }

  requeue(): void {
    if (this.#settles()) this.#nack(true)
  }

  /** A second acknowledgement of one delivery would close the channel, and one on a dead channel would throw. */
  #settles(): boolean {
    if (this.#isSettled || this.gone.aborted) return false
    this.#isSettled = true
    return true
  }

  #nack(requeue: boolean): boolean {
    try {
      this.#acks.nack(this.#message, requeue)
      return true
    } catch {
      // The channel died this moment: the broker redelivers.
      return false
    }
  }
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
