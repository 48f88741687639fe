/**
 * Publishes wake-ups and says of each what the broker made of it. At most WINDOW are unconfirmed at once: amqplib
 * buffers without bound while the broker is slow or blocks, so the window is what bounds memory.
 */
import type { ConfirmChannel } from 'amqplib'
import { encodeWakeUp, type WakeUp } from '../core/message.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { TracedMessage } from '../runtime/tracing/contract.ts'
import { createLink, type Link, type Session } from './session.ts'
import { declareTopology, routeOf, type Topology } from './topology.ts'

export interface Outgoing {
  /** The outbox row's id; the broker names a returned message by nothing else. */
  readonly outboxId: string
  readonly wakeUp: WakeUp
  readonly queue: string
  /** 0 for the work queue, else the rung to wait on. */
  readonly rungMs: number
  readonly taskName: string
  readonly requestId: string
  readonly client: string
  readonly traceparent: string
  readonly tracestate: string | null
}

/** returned: no queue took it. nacked: the broker refused it. unknown: no answer, it may or may not be stored. */
export type Published = 'confirmed' | 'returned' | 'nacked' | 'unknown'

export interface Publisher extends Link {
  /** How many more messages may be published now; 0 while disconnected or blocked. */
  readonly room: number
  /** Publishes one message. Never rejects; resolves within the confirm timeout. */
  publish(outgoing: Outgoing): Promise<Published>
}

const WINDOW = 2_048
export const CONFIRM_TIMEOUT_MS = 5_000
const REPAIR_EVERY_MS = 2_000

/**
 * amqplib keeps an entry per message for ever once an acknowledgement came out of order (measured: 100 000 confirmed,
 * 100 002 entries). One channel per destination keeps them in order; a new channel now and then forgets the rest.
 */
const RECYCLE_AFTER = 50_000

interface Lane {
  readonly channel: ConfirmChannel
  readonly returned: Set<string>
  /** Lets no more messages choose this lane. */
  readonly retire: () => void
  published: number
  unconfirmed: number
}

export function createPublisher(options: { url: string; name: string; log: Log; topology: Topology }): Publisher {
  const { log, topology } = options
  let session: Session | undefined
  let lanes = new Map<string, Promise<Lane>>()
  let unconfirmed = 0
  let repairedAt = 0

  const link = createLink({
    ...options,
    onSession: async (fresh) => {
      await declareTopology(fresh, topology, log)
      session = fresh
      lanes = new Map()
    },
  })

  function laneOf(owner: Session, destination: string): Promise<Lane> {
    const known = lanes.get(destination)
    if (known) return known
    const opened = owner.openConfirmChannel().then((channel) => {
      const lane: Lane = { channel, returned: new Set(), retire, published: 0, unconfirmed: 0 }
      channel.on('return', (message: { properties: { messageId?: unknown } }) => {
        lane.returned.add(String(message.properties.messageId))
      })
      channel.on('close', () => {
        retire()
        repair(owner)
      })
      return lane
    })
    const retire = (): void => {
      if (lanes.get(destination) === opened) lanes.delete(destination)
    }
    opened.catch(retire)
    lanes.set(destination, opened)
    return opened
  }

  /** Declares everything again: a queue or exchange that somebody deleted comes back by itself. */
  function repair(owner: Session): void {
    if (owner.ended.aborted || Date.now() - repairedAt < REPAIR_EVERY_MS) return
    repairedAt = Date.now()
    declareTopology(owner, topology, log).catch(() => undefined)
  }

  /** A lane whose confirms stay away may never give one again, though its channel looks healthy: the next is a new one. */
  function distrust(destination: string, lane: Promise<Lane>): void {
    if (lanes.get(destination) !== lane) return
    lanes.delete(destination)
    log.warn({ destination }, 'confirms stay away, the channel is replaced')
    lane.then(({ channel }) => channel.close()).catch(() => undefined)
  }

  /** Resolves with the broker's answer, or `unknown` when there is none in time. Never rejects. */
  function send(owner: Session, outgoing: Outgoing): Promise<Published> {
    const destination = destinationOf(outgoing)
    const lane = laneOf(owner, destination)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        distrust(destination, lane)
        resolve('unknown')
      }, CONFIRM_TIMEOUT_MS)
      const answered = (answer: Published): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      // publish() on a dead channel throws; the message was not sent then, and the sweep will send it.
      lane.then((own) => hand(own, outgoing, answered)).catch(() => answered('unknown'))
    })
  }

  function hand(lane: Lane, outgoing: Outgoing, answered: (answer: Published) => void): void {
    const { exchange, key } = routeOf(outgoing.queue, outgoing.rungMs)
    const onConfirm = (error: unknown): void => {
      lane.unconfirmed -= 1
      if (lane.published >= RECYCLE_AFTER && lane.unconfirmed === 0) lane.channel.close().catch(() => undefined)
      // An unroutable message is returned first and then confirmed all the same, in this order.
      // https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
      if (lane.returned.delete(outgoing.outboxId)) answered('returned')
      else if (!error) answered('confirmed')
      else answered(error instanceof Error && error.message === 'message nacked' ? 'nacked' : 'unknown')
    }
    lane.channel.publish(exchange, key, encodeWakeUp(outgoing.wakeUp), propertiesOf(outgoing), onConfirm)
    lane.unconfirmed += 1
    lane.published += 1
    if (lane.published >= RECYCLE_AFTER) lane.retire()
  }

  return {
    name: link.name,
    start: link.start,
    stop: link.stop,
    get state() {
      return link.state
    },
    get trouble() {
      return link.trouble
    },
    get room() {
      return link.state === 'ready' && session && !session.ended.aborted ? Math.max(0, WINDOW - unconfirmed) : 0
    },
    async publish(outgoing) {
      const owner = session
      if (!owner || link.state !== 'ready' || owner.ended.aborted) return 'unknown'
      unconfirmed += 1
      const observe = metrics.confirmSeconds.startTimer({}, outgoing.traceparent)
      const result = await send(owner, outgoing)
      unconfirmed -= 1
      if (result === 'confirmed') observe()
      if (result === 'returned') repair(owner)
      metrics.published.inc({ result })
      return result
    },
  }
}

/** Names the lane of a message: one for each queue that it may land in. */
function destinationOf({ queue, rungMs }: Outgoing): string {
  const { exchange, key } = routeOf(queue, rungMs)
  return rungMs === 0 ? key : `${exchange}:${rungMs}`
}

/** What the span of publishing it says. */
export function tracedMessage(outgoing: Outgoing): TracedMessage {
  const { outboxId, wakeUp, taskName, requestId, traceparent, tracestate } = outgoing
  const { exchange, key } = routeOf(outgoing.queue, outgoing.rungMs)
  const task = { id: wakeUp.id, attempt: wakeUp.attempt, name: taskName, requestId, traceparent, tracestate }
  return { ...task, messageId: outboxId, exchange, routingKey: key }
}

function propertiesOf(outgoing: Outgoing) {
  return {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    messageId: outgoing.outboxId,
    correlationId: outgoing.requestId,
    type: outgoing.taskName,
    headers: {
      traceparent: outgoing.traceparent,
      ...(outgoing.tracestate === null ? {} : { tracestate: outgoing.tracestate }),
      'x-request-id': outgoing.requestId,
      'x-client': outgoing.client,
      'x-published-at': Date.now(),
    },
  }
}
