/**
 * Receives from one work queue. A queue that was deleted, a channel that failed or a broker that cancelled us is
 * noticed and repaired: a consumer that looks alive and receives nothing is the worst kind.
 */
import { aborted, pause } from '../runtime/wait.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { NoAnswer } from './session.ts'
import { declareTopology, type Topology } from './topology.ts'

export interface Subscription {
  /** Stops further deliveries; those already here can still be acknowledged. */
  cancel(): Promise<void>
  /** Closes the channel; the broker redelivers whatever was not acknowledged. */
  close(): Promise<void>
}

export interface SubscribeOptions extends IntakeOptions {
  readonly topology: Topology
}

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5_000

/** Subscribes, and subscribes again whenever it must, until cancelled or the session ends. */
export function subscribe(options: SubscribeOptions): Subscription {
  const subscription = new KeptSubscription(options)
  void subscription.keep()
  return subscription
}

class KeptSubscription implements Subscription {
  readonly #options: SubscribeOptions
  readonly #stopping = new AbortController()
  /** The channel that delivers, or the last that did. */
  #intake: Intake | undefined

  constructor(options: SubscribeOptions) {
    this.#options = options
  }

  async keep(): Promise<void> {
    const { session, topology, queue, log } = this.#options
    let waitMs = FIRST_WAIT_MS
    while (!this.#isOver) {
      try {
        await this.#once()
        waitMs = FIRST_WAIT_MS
      } catch (error) {
        log.warn({ queue, error: (error as Error).message }, 'could not subscribe')
        // The channel might begin to deliver later, to nobody: only a new connection is sure not to.
        if (error instanceof NoAnswer) session.fail(error.message)
      }
      if (this.#isOver) return
      log.warn({ queue }, 'subscription lost, subscribing again')
      await pause(waitMs, this.#stopping.signal)
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
      await declareTopology(session, topology, log).catch(() => undefined)
    }
  }

  async cancel(): Promise<void> {
    this.#stopping.abort()
    await this.#intake?.cancel()
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#intake?.close()
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#options.session.ended.aborted
  }

  /** Receives over one channel; resolves when that delivers no more. */
  async #once(): Promise<void> {
    const { session, queue, prefetch, log } = this.#options
    const intake = new Intake(await session.openChannel(), this.#options)
    try {
      await intake.open()
      // Cancelled meanwhile: nobody holds this channel to cancel it, and it must not go on delivering.
      if (this.#stopping.signal.aborted) return
      this.#intake = intake
      log.info({ queue, prefetch }, 'subscribed')
      await Promise.race([aborted(intake.dry), aborted(session.ended), aborted(this.#stopping.signal)])
    } finally {
      // After a cancel what was delivered is still worked on, and is acknowledged over this channel.
      if (!this.#stopping.signal.aborted || this.#intake !== intake) intake.abandon()
    }
  }
}
