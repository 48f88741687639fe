/** A message to be published, where it goes, and what may become of it. */
import type { MessageFacts, WakeUp } from '../core/message.ts'
import type { TracedMessage } from '../runtime/tracing/contract.ts'
import { retryQueue, routeOf, workQueue } from './topology.ts'

export interface Outgoing extends MessageFacts {
  readonly wakeUp: WakeUp
  readonly queue: string
  /** 0 for the work queue, else the rung to wait on. */
  readonly rungMs: number
}

/** returned: no queue took it. nacked: the broker refused it. unknown: no answer, it may or may not be stored. */
export type Published = 'confirmed' | 'returned' | 'nacked' | 'unknown'

/** Names the queue that the message may land in. */
export function destinationOf({ queue, rungMs }: Outgoing): string {
  return rungMs === 0 ? workQueue(queue) : retryQueue(rungMs)
}

/** Says what the span of publishing it says. */
export function tracedMessage(outgoing: Outgoing): TracedMessage {
  const { outboxId, wakeUp, taskName, requestId, traceparent, tracestate } = outgoing
  const { exchange, key } = routeOf(outgoing.queue, outgoing.rungMs)
  const task = { id: wakeUp.id, attempt: wakeUp.attempt, name: taskName, requestId, traceparent, tracestate }
  return { ...task, messageId: outboxId, exchange, routingKey: key }
}
