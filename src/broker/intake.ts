/** One channel that delivers from one work queue, from subscribing to the channel's end. */
import type { Channel, ConsumeMessage } from 'amqplib'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { settledWithin } from '../runtime/wait.ts'
import { Acks } from './acks.ts'
import { AmqpDelivery, type Delivery } from './delivery.ts'
import type { Session } from './session.ts'
import { workQueue } from './topology.ts'

export interface IntakeOptions {
  readonly session: Session
  readonly queue: string
  /** How many unacknowledged deliveries the broker may have with us: the number of slots. */
  readonly prefetch: number
  readonly log: Log
  /** Takes a delivery; must not throw. */
  readonly onDelivery: (delivery: Delivery) => void
}

const CLOSE_TIMEOUT_MS = 3_000

export class Intake {
  readonly #channel: Channel
  readonly #options: IntakeOptions
  readonly #acks: Acks
  /** The channel is gone: nothing can be acknowledged any more. */
  readonly #gone = new AbortController()
  /** Nothing more will be delivered. */
  readonly #dry = new AbortController()
  #consumerTag: string | undefined

  constructor(channel: Channel, options: IntakeOptions) {
    this.#channel = channel
    this.#options = options
    this.#acks = new Acks(channel, options.log)
    channel.once('close', () => this.#lose())
    const { queue } = options
    const forget = whenAsked(() => metrics.queueUnacked.set({ queue }, this.#acks.unacked))
    const end = (): void => {
      forget()
      metrics.queueUnacked.set({ queue }, 0)
    }
    this.#gone.signal.addEventListener('abort', end, { once: true })
  }

  /** Aborts when nothing more will be delivered: the channel is gone, or the broker cancelled us. */
  get dry(): AbortSignal {
    return this.#dry.signal
  }

  /** Subscribes. Rejects when the broker refuses or does not answer. */
  async open(): Promise<void> {
    const { session, queue, prefetch } = this.#options
    // Per consumer, never per channel: quorum queues refuse the global kind by closing the connection.
    await session.answered('setting the prefetch', this.#channel.prefetch(prefetch, false))
    const consuming = this.#channel.consume(workQueue(queue), (message) => this.#take(message))
    const { consumerTag } = await session.answered('subscribing', consuming)
    this.#consumerTag = consumerTag
  }

  /** Asks for no more; what is here can still be acknowledged. Waits at most 3 s for the broker to say yes. */
  async cancel(): Promise<void> {
    if (this.#consumerTag === undefined || this.#options.session.ended.aborted) return
    await settledWithin(CLOSE_TIMEOUT_MS, this.#channel.cancel(this.#consumerTag))
  }

  /** Acknowledges what is settled and closes the channel; the broker redelivers the rest. Takes at most 3 s. */
  async close(): Promise<void> {
    this.#acks.flush()
    if (!this.#options.session.ended.aborted) await settledWithin(CLOSE_TIMEOUT_MS, this.#channel.close())
  }

  /** Gives the channel up at once, with all that it delivered. */
  abandon(): void {
    this.#lose()
    this.#channel.close().catch(() => undefined)
  }

  #take(message: ConsumeMessage | null): void {
    // null: the queue was deleted, or the broker cancelled us. The channel looks healthy and stays silent.
    if (message === null) {
      this.#dry.abort()
      return
    }
    const { queue, onDelivery } = this.#options
    this.#acks.delivered(message)
    onDelivery(new AmqpDelivery(message, queue, this.#acks, this.#gone.signal))
  }

  #lose(): void {
    this.#gone.abort()
    this.#dry.abort()
  }
}
