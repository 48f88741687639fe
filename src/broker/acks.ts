/**
 * The acknowledgements of one channel. Those of one turn of the event loop are gathered: an unbroken run from the oldest
 * delivery on becomes one frame, the others go one by one. (Consuming alone was 2.4 times as fast with one frame for 50.)
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import type { Log } from '../runtime/log.ts'

export class Acks {
  readonly #channel: Pick<Channel, 'ack' | 'nack'>
  readonly #log: Log
  /** What the broker waits for, the oldest first: at most as many as the prefetch. */
  readonly #unacked = new Set<ConsumeMessage>()
  readonly #done = new Set<ConsumeMessage>()

  constructor(channel: Pick<Channel, 'ack' | 'nack'>, log: Log) {
    this.#channel = channel
    this.#log = log
  }

  /** How many deliveries the broker waits for. */
  get unacked(): number {
    return this.#unacked.size
  }

  /** Notes a delivery; must be called in the order in which they came. */
  delivered(message: ConsumeMessage): void {
    this.#unacked.add(message)
  }

  /** Acknowledges a delivery within this turn of the event loop; once for each. */
  ack(message: ConsumeMessage): void {
    if (this.#done.size === 0) setImmediate(() => this.flush())
    this.#done.add(message)
  }

  /** Refuses a delivery at once: back to its queue, or to the dead letters. */
  nack(message: ConsumeMessage, requeue: boolean): void {
    this.#unacked.delete(message)
    this.#channel.nack(message, false, requeue)
  }

  /** Sends now what is gathered: a channel that is being closed sends nothing more. */
  flush(): void {
    const run: ConsumeMessage[] = []
    for (const message of this.#unacked) {
      if (!this.#done.delete(message)) break
      run.push(message)
    }
    const last = run.at(-1)
    try {
      if (last) this.#channel.ack(last, run.length > 1)
      for (const message of this.#done) this.#channel.ack(message)
    } catch (error) {
      // The channel died this moment: the broker redelivers, and the claim finds the tasks settled.
      this.#log.debug({ error: (error as Error).message }, 'acknowledgements were not sent')
    }
    for (const message of run) this.#unacked.delete(message)
    for (const message of this.#done) this.#unacked.delete(message)
    this.#done.clear()
  }
}
