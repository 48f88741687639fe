/**
 * The acknowledgements of one channel. Those of one turn of the event loop are gathered: an unbroken run from the oldest
 * delivery on becomes one frame, the others go one by one. (Consuming alone was 2.4 times as fast with one frame for 50.)
 */
import type { Channel, ConsumeMessage } from 'amqplib'
import type { Log } from '../runtime/log.ts'

export interface Acks {
  /** Notes a delivery; must be called in the order in which they came. */
  delivered(message: ConsumeMessage): void
  /** Acknowledges a delivery within this turn of the event loop; once for each. */
  ack(message: ConsumeMessage): void
  /** Refuses a delivery at once: back to its queue, or to the dead letters. */
  nack(message: ConsumeMessage, requeue: boolean): void
  /** Sends now what is gathered: a channel that is being closed sends nothing more. */
  flush(): void
}

export function createAcks(channel: Channel, log: Log): Acks {
  /** What the broker waits for, the oldest first: at most as many as the prefetch. */
  const open = new Set<ConsumeMessage>()
  const done = new Set<ConsumeMessage>()

  function flush(): void {
    const run: ConsumeMessage[] = []
    for (const message of open) {
      if (!done.delete(message)) break
      run.push(message)
    }
    const last = run.at(-1)
    try {
      if (last) channel.ack(last, run.length > 1)
      for (const message of done) channel.ack(message)
    } catch (error) {
      // The channel died this moment: the broker redelivers, and the claim finds the tasks settled.
      log.debug({ error: (error as Error).message }, 'acknowledgements were not sent')
    }
    for (const message of [...run, ...done]) open.delete(message)
    done.clear()
  }

  return {
    delivered: (message) => void open.add(message),
    ack(message) {
      if (done.size === 0) setImmediate(flush)
      done.add(message)
    },
    flush,
    nack(message, requeue) {
      open.delete(message)
      channel.nack(message, false, requeue)
    },
  }
}
