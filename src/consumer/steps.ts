/**
 * The steps of an attempt, in order: decode, turn, claim, execute, settle, ack. The order is the promise: a delivery is
 * acknowledged only after its task is settled; one that was claimed is never given back to the broker, one that was not
 * is. Each step takes the attempt and gives it back, or gives nothing and has decided how the delivery is answered.
 */
import type { Delivery } from '../broker/delivery.ts'
import type { Handlers } from '../core/task-types.ts'
import type { Log } from '../runtime/log.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Db } from '../store/db.ts'
import { acknowledge } from './ack.ts'
import { Attempt, type Claimed, type Decoded } from './attempt.ts'
import { Claims } from './claim.ts'
import { Deliveries } from './delivery.ts'
import { Executor } from './execute.ts'
import type { ConsumerLife } from './life.ts'
import { Settles } from './settle.ts'
import { Turns } from './turn.ts'

export interface StepsOptions {
  readonly life: ConsumerLife
  readonly handlers: Handlers
  /** Queue to slots. */
  readonly queues: ReadonlyMap<string, number>
  /** Claims and settles. */
  readonly db: Db
  /** Task transactions. */
  readonly effectsDb: Db
  readonly ladderMs: readonly number[]
  readonly log: Log
  /** Aborts when the consumer begins to drain: what is not claimed yet goes back to the broker. */
  readonly draining: AbortSignal
}

export class Steps {
  /** The attempts whose deliveries have no answer yet. */
  readonly unacked = new Set<Attempt>()
  readonly #life: ConsumerLife
  readonly #log: Log
  readonly #deliveries: Deliveries
  readonly #turns: Turns
  readonly #claims: Claims
  readonly #executor: Executor
  readonly #settles: Settles
  #onIdle: (() => void) | undefined

  constructor(options: StepsOptions) {
    this.#life = options.life
    this.#log = options.log
    this.#deliveries = new Deliveries(options)
    this.#turns = new Turns(options)
    this.#claims = new Claims(options)
    this.#executor = new Executor(options)
    this.#settles = new Settles(options)
  }

  /** Takes one delivery to its end. Never rejects. */
  async handle(delivery: Delivery): Promise<void> {
    const attempt = new Attempt(delivery)
    this.unacked.add(attempt)
    try {
      const decoded = await this.#deliveries.decode(attempt)
      const first = decoded && (await this.#turns.take(decoded))
      if (first) await tracing.deliver(delivery.origin, first, this.#inTurn)
      acknowledge(attempt)
    } catch (error) {
      this.#log.error({ error }, 'a delivery could not be handled, the broker redelivers it')
    } finally {
      this.#turns.leave(attempt)
      this.unacked.delete(attempt)
      if (this.unacked.size === 0) this.#onIdle?.()
    }
  }

  /** Resolves once every delivery is answered. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.unacked.size === 0) resolve()
    })
  }

  readonly #inTurn = async (attempt: Decoded): Promise<void> => {
    const claimed = await this.#claims.claim(attempt)
    if (!claimed) return
    this.#life.begin(claimed)
    try {
      await tracing.attempt(claimed.task, claimed, this.#inFlight)
    } finally {
      this.#life.end(claimed)
    }
  }

  readonly #inFlight = async (attempt: Claimed): Promise<void> => {
    const executed = await this.#executor.execute(attempt)
    if (executed) await this.#settles.settle(executed)
  }
}
