/**
 * Publishes wake-ups and says of each what the broker made of it. At most WINDOW are unconfirmed at once: amqplib
 * buffers without bound while the broker is slow or blocks, so the window is what bounds memory.
 */
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { type Lane, openLane } from './lane.ts'
import { createLink, type Link } from './link.ts'
import { destinationOf, type Outgoing, type Published } from './outgoing.ts'
import type { Session } from './session.ts'
import { declareTopology, type Topology } from './topology.ts'

export interface Publisher {
  readonly link: Link
  /** How many more messages may be published now; 0 while disconnected or blocked. */
  readonly room: number
  /** Publishes one message. Never rejects; resolves within the confirm timeout. */
  publish(outgoing: Outgoing): Promise<Published>
}

export interface PublisherOptions {
  readonly url: string
  readonly name: string
  readonly log: Log
  readonly topology: Topology
  /** How many messages go through one channel before the next is opened. */
  readonly recycleAfter?: number
}

const WINDOW = 2_048
export const CONFIRM_TIMEOUT_MS = 5_000
const REPAIR_EVERY_MS = 2_000

/** Makes a publisher; it connects when its link is started, and declares the topology first. */
export function createPublisher(options: PublisherOptions): Publisher {
  return new ConfirmedPublisher(options)
}

class ConfirmedPublisher implements Publisher {
  readonly link: Link
  readonly #options: PublisherOptions
  #session: Session | undefined
  /** By destination. */
  #lanes = new Map<string, Promise<Lane>>()
  #inFlight = 0
  #repairedAt = 0

  constructor(options: PublisherOptions) {
    this.#options = options
    this.link = createLink({ ...options, onSession: (fresh) => this.#begin(fresh) })
  }

  get room(): number {
    return this.#usable === undefined ? 0 : Math.max(0, WINDOW - this.#inFlight)
  }

  async publish(outgoing: Outgoing): Promise<Published> {
    const owner = this.#usable
    if (owner === undefined) return 'unknown'
    this.#inFlight += 1
    const observe = metrics.confirmSeconds.startTimer({}, outgoing.traceparent)
    const result = await this.#send(owner, outgoing)
    this.#inFlight -= 1
    if (result === 'confirmed') observe()
    if (result === 'returned') this.#repair(owner)
    metrics.published.inc({ result })
    return result
  }

  get #usable(): Session | undefined {
    return this.link.state === 'ready' && this.#session?.ended.aborted === false ? this.#session : undefined
  }

  async #begin(fresh: Session): Promise<void> {
    await declareTopology(fresh, this.#options.topology, this.#options.log)
    this.#session = fresh
    this.#lanes = new Map()
  }

  /** Resolves with the broker's answer, or `unknown` when there is none in time. Never rejects. */
  #send(owner: Session, outgoing: Outgoing): Promise<Published> {
    const destination = destinationOf(outgoing)
    const lane = this.#laneOf(owner, destination)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#distrust(destination, lane)
        resolve('unknown')
      }, CONFIRM_TIMEOUT_MS)
      const answered = (answer: Published): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      // Publishing on a dead channel throws; the message was not sent then, and the sweep will send it.
      lane.then((open) => open.publish(outgoing, answered)).catch(() => answered('unknown'))
    })
  }

  #laneOf(owner: Session, destination: string): Promise<Lane> {
    const known = this.#lanes.get(destination)
    if (known) return known
    const retire = (): void => {
      if (this.#lanes.get(destination) === opened) this.#lanes.delete(destination)
    }
    const { recycleAfter } = this.#options
    const onClosed = (): void => this.#repair(owner)
    const opened = openLane({ session: owner, onRetired: retire, onClosed, recycleAfter })
    opened.catch(retire)
    this.#lanes.set(destination, opened)
    return opened
  }

  /** A lane whose confirms stay away may never give one again, though its channel looks healthy: the next is a new one. */
  #distrust(destination: string, lane: Promise<Lane>): void {
    if (this.#lanes.get(destination) !== lane) return
    this.#lanes.delete(destination)
    this.#options.log.warn({ destination }, 'confirms stay away, the channel is replaced')
    lane.then((open) => open.close()).catch(() => undefined)
  }

  /** Declares everything again: a queue or exchange that somebody deleted comes back by itself. */
  #repair(owner: Session): void {
    if (owner.ended.aborted || Date.now() - this.#repairedAt < REPAIR_EVERY_MS) return
    this.#repairedAt = Date.now()
    declareTopology(owner, this.#options.topology, this.#options.log).catch(() => undefined)
  }
}
