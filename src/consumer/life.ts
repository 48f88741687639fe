/**
 * One life of this consumer: an id, a lease that is kept alive, and the attempts in flight. When the lease is lost the
 * life is over for ever: all its attempts are aborted, and whatever they still write is fenced.
 */
import { randomUUID } from 'node:crypto'
import { Aborted } from 'nightshift-tasks'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { pause, untilAnswered } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { type EndOfLife, endLife } from '../store/moves/hand-back.ts'
import { beginLife, renewLease } from '../store/moves/lease.ts'
import type { Claimed } from './attempt.ts'

export interface LifeOptions {
  /** A connection of its own, so that no handler's transaction can keep the lease from being renewed. */
  readonly db: Db
  readonly name: string
  readonly version: string
  readonly queues: ReadonlyMap<string, number>
  /** The task types this process can run. */
  readonly tasks: readonly string[]
  readonly leaseSeconds: number
  readonly log: Log
}

/** While the consumer stops, the auditor will do it if the database does not answer so often. */
const HAND_BACK_TRIES = 3

export class ConsumerLife {
  readonly id = randomUUID()
  readonly #options: LifeOptions
  readonly #leaseMs: number
  readonly #over = new AbortController()
  /** The attempts that are claimed and not settled, by task id. */
  readonly #inFlight = new Map<string, Claimed>()
  /** How many attempts this life has begun, by queue; the gateway measures the drain by it. */
  readonly #begun = new Map<string, number>()
  /** When the newest of them was offered, by queue; maintenance tells by it what the broker has passed by. */
  readonly #newestOffered = new Map<string, number>()
  /** By the monotonic clock, and never later than the database's own end. */
  #aliveUntil = 0
  /** What its attempts were told, and each that begins later is told too. */
  #told: Aborted | undefined

  private constructor(options: LifeOptions) {
    this.#options = options
    this.#leaseMs = options.leaseSeconds * 1_000
  }

  /** Begins a life. Rejects when the database does not answer. */
  static async open(options: LifeOptions): Promise<ConsumerLife> {
    const life = new ConsumerLife(options)
    const asked = performance.now()
    await beginLife(options.db, { ...options, id: life.id })
    life.#aliveUntil = asked + life.#leaseMs
    life.#watch()
    void life.#keep()
    return life
  }

  /** Aborts when the lease is lost or the life is closed. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Notes that an attempt is claimed: the lease is kept for it, and it is told when the life has to stop. */
  begin(attempt: Claimed): void {
    const { id, queue, offeredMs } = attempt.task
    this.#inFlight.set(id, attempt)
    this.#begun.set(queue, (this.#begun.get(queue) ?? 0) + 1)
    this.#newestOffered.set(queue, Math.max(offeredMs, this.#newestOffered.get(queue) ?? 0))
    if (this.#told) attempt.abort.tell(this.#told)
  }

  end(attempt: Claimed): void {
    this.#inFlight.delete(attempt.task.id)
  }

  /** Tells all attempts to stop, also those that begin later. */
  tellAll(why: Aborted): void {
    this.#told = why
    for (const { abort } of this.#inFlight.values()) abort.tell(why)
  }

  /**
   * Ends the lease in the database, and gives back what the table says this life runs. After a lost lease the auditor
   * would do it too, after a lease; this is sooner, and it is known here that nobody died.
   *
   * @param stopping aborts when the consumer stops, which does not wait for the database for ever
   */
  async handBack(because: EndOfLife, stopping: AbortSignal): Promise<void> {
    const { db, log } = this.#options
    const enough = new AbortController()
    let tries = 0
    const tasks = await untilAnswered({
      ask: () => endLife(db, this.id, because),
      signal: enough.signal,
      firstWaitMs: 750,
      longestWaitMs: 750,
      onError: ({ message }) => {
        log.warn({ consumer: this.id, error: message }, 'hand-back not answered')
        tries += 1
        if (stopping.aborted && tries >= HAND_BACK_TRIES) enough.abort()
      },
    })
    if (tasks) log.info({ consumer: this.id, tasks }, 'consumer life ended, what it ran is handed back')
  }

  /** Stops renewing. The lease itself is ended in the database by `handBack`. */
  close(): void {
    this.#over.abort(new Aborted('drain'))
  }

  #watch(): void {
    const expiry = setInterval(() => {
      if (performance.now() > this.#aliveUntil) this.#lose('the database did not answer in time')
    }, this.#leaseMs / 20)
    const forget = whenAsked(() => this.#showInFlight())
    const stop = (): void => {
      clearInterval(expiry)
      forget()
    }
    this.over.addEventListener('abort', stop, { once: true })
  }

  async #keep(): Promise<void> {
    const { log } = this.#options
    while (!this.over.aborted) {
      await pause(this.#leaseMs * 0.3, this.over)
      if (this.over.aborted) return
      await this.#renew().catch(({ message }: Error) =>
        log.warn({ consumer: this.id, error: message }, 'lease not renewed'),
      )
    }
  }

  async #renew(): Promise<void> {
    const { db, leaseSeconds } = this.#options
    // Counted from before the question was sent.
    const asked = performance.now()
    const inFlight = [...this.#inFlight.values()].map(({ task }) => ({ id: task.id, attempt: task.attempt }))
    const held = { inFlight, begun: this.#begun, newestOffered: this.#newestOffered }
    const { isAlive, lost } = await renewLease(db, this.id, leaseSeconds, held)
    if (!isAlive) return this.#lose('it had run out')
    this.#aliveUntil = asked + this.#leaseMs
    for (const id of lost) this.#inFlight.get(id)?.abort.tell(new Aborted('cancelled'))
  }

  #lose(why: string): void {
    if (this.over.aborted) return
    metrics.leasesLost.inc()
    this.#options.log.warn({ consumer: this.id, why, in_flight: this.#inFlight.size }, 'lease lost')
    const lost = new Aborted('lease_lost')
    this.#over.abort(lost)
    this.tellAll(lost)
  }

  #showInFlight(): void {
    const attempts = new Map([...this.#options.queues.keys()].map((queue) => [queue, 0]))
    for (const { task } of this.#inFlight.values()) attempts.set(task.queue, (attempts.get(task.queue) ?? 0) + 1)
    for (const [queue, inFlight] of attempts) metrics.inFlight.set({ queue }, inFlight)
  }
}
