/** One confirm channel for the messages to one queue, and what the broker says of each of them. */
import type { ConfirmChannel, Message } from 'amqplib'
import { encodeWakeUp, propertiesOf } from '../core/message.ts'
import type { Outgoing, Published } from './outgoing.ts'
import type { Session } from './session.ts'
import { routeOf } from './topology.ts'

/**
 * amqplib keeps an entry per message for ever once an acknowledgement came out of order (measured: 100 000 confirmed,
 * 100 002 entries). One channel per destination keeps them in order; a new channel now and then forgets the rest.
 */
const RECYCLE_AFTER = 50_000

export interface LaneOptions {
  readonly session: Session
  /** Called when no more messages may choose this lane: it is full, or its channel is gone. */
  readonly onRetired: () => void
  /** Called when the channel is closed, whoever closed it. */
  readonly onClosed: () => void
  readonly recycleAfter?: number | undefined
}

/** Opens a lane. Rejects when the session ends first. */
export async function openLane(options: LaneOptions): Promise<Lane> {
  return new Lane(await options.session.openConfirmChannel(), options)
}

export class Lane {
  readonly #channel: ConfirmChannel
  readonly #recycleAfter: number
  readonly #onRetired: () => void
  /** The ids of messages that no queue took, until their confirms come. */
  readonly #returned = new Set<string>()
  #published = 0
  #unconfirmed = 0

  constructor(channel: ConfirmChannel, { onRetired, onClosed, recycleAfter = RECYCLE_AFTER }: LaneOptions) {
    this.#channel = channel
    this.#recycleAfter = recycleAfter
    this.#onRetired = onRetired
    channel.on('return', ({ properties }: Message) => void this.#returned.add(String(properties.messageId)))
    channel.on('close', () => {
      onRetired()
      onClosed()
    })
  }

  /**
   * Publishes one message. `answered` is called once with what the broker says, `unknown` when the channel goes first.
   * @throws when the channel is dead: the message was not sent then
   */
  publish(outgoing: Outgoing, answered: (answer: Published) => void): void {
    const { exchange, key } = routeOf(outgoing.queue, outgoing.rungMs)
    const properties = propertiesOf(outgoing, Date.now())
    this.#channel.publish(exchange, key, encodeWakeUp(outgoing.wakeUp), properties, (error: unknown) => {
      this.#unconfirmed -= 1
      if (this.#isFull && this.#unconfirmed === 0) this.close()
      answered(this.#answerOf(outgoing.outboxId, error))
    })
    this.#unconfirmed += 1
    this.#published += 1
    if (this.#isFull) this.#onRetired()
  }

  /** Closes the channel; those who wait for an answer get `unknown`. */
  close(): void {
    this.#channel.close().catch(() => undefined)
  }

  get #isFull(): boolean {
    return this.#published >= this.#recycleAfter
  }

  #answerOf(id: string, error: unknown): Published {
    // An unroutable message is returned first and then confirmed all the same, in this order.
    // https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
    if (this.#returned.delete(id)) return 'returned'
    if (!error) return 'confirmed'
    return error instanceof Error && error.message === 'message nacked' ? 'nacked' : 'unknown'
  }
}
