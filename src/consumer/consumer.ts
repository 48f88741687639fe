/**
 * The consumer: one life after another, each with its lease and its subscriptions. It subscribes only while its lease is
 * alive; a lost lease drops the broker session, and a new life begins under a new id.
 */
import { Aborted } from 'nightshift-tasks'
import { createLink, type Link } from '../broker/link.ts'
import type { Session } from '../broker/session.ts'
import { declareTopology, type Topology } from '../broker/topology.ts'
import type { Handlers, PackSchema } from '../core/task-types.ts'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'
import { aborted, untilAnswered } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { missingMigrations } from '../store/migrate.ts'
import { ConsumerLife } from './life.ts'
import { Work } from './work.ts'

export interface ConsumerOptions {
  readonly name: string
  readonly version: string
  readonly amqpUrl: string
  readonly topology: Topology
  /** Queue to slots: how many of its tasks run in parallel here. */
  readonly queues: ReadonlyMap<string, number>
  readonly handlers: Handlers
  /** Of the packs: no life begins before they are migrated, or handlers would fail for want of their tables. */
  readonly schemas: readonly PackSchema[]
  readonly ladderMs: readonly number[]
  readonly leaseSeconds: number
  readonly drainGraceSeconds: number
  /** Claims and settles. */
  readonly db: Db
  /** The lease, on its own connection. */
  readonly leaseDb: Db
  /** Task transactions. */
  readonly effectsDb: Db
  readonly log: Log
}

export class Consumer implements Service {
  readonly name = 'consumer'
  readonly link: Link
  readonly #options: ConsumerOptions
  /** Ends the lives, and takes no more deliveries. */
  #stopping = new AbortController()
  #session: Session | undefined
  #work: Work | undefined
  #living: Promise<void> | undefined

  constructor(options: ConsumerOptions) {
    this.#options = options
    const { amqpUrl, name, log } = options
    this.link = createLink({
      url: amqpUrl,
      name: `consumer ${name}`,
      log,
      onSession: (session) => this.#take(session),
    })
  }

  /** The id of the life that works now, or undefined between lives. */
  get lifeId(): string | undefined {
    return this.#work?.life.id
  }

  async start(): Promise<void> {
    if (this.#living) return
    this.#stopping = new AbortController()
    await this.link.start()
    this.#living = this.#live(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    if (!this.#living) return
    this.#stopping.abort(new Aborted('drain'))
    await this.#living
    await this.#work?.drain()
    await this.link.stop()
    this.#living = undefined
    this.#work = undefined
  }

  async #take(session: Session): Promise<void> {
    await declareTopology(session, this.#options.topology, this.#options.log)
    this.#session = session
    this.#work?.subscribeTo(session)
  }

  async #live(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const life = await this.#beginLife(stopping)
      if (!life) return
      this.#work = new Work({ ...this.#options, life, stopping })
      if (this.#session && !this.#session.ended.aborted) this.#work.subscribeTo(this.#session)
      await aborted(AbortSignal.any([life.over, stopping]))
      if (stopping.aborted) return
      this.#session?.fail('the lease was lost')
      await life.handBack('lease_lost', stopping)
      this.#work = undefined
    }
  }

  async #beginLife(stopping: AbortSignal): Promise<ConsumerLife | undefined> {
    const { log } = this.#options
    const life = await untilAnswered({
      ask: () => this.#openLife(),
      signal: stopping,
      firstWaitMs: 750,
      longestWaitMs: 750,
      onError: ({ message }) => log.warn({ error: message }, 'no lease from the database, asking again'),
    })
    if (life) log.info({ consumer: life.id }, 'consumer life begins')
    return life
  }

  async #openLife(): Promise<ConsumerLife> {
    const { leaseDb, schemas, handlers } = this.#options
    const missing = await missingMigrations(leaseDb, schemas)
    if (missing.length > 0) throw new Error(`the schema lacks ${missing.join(', ')}: run \`nightshift migrate\``)
    return ConsumerLife.open({ ...this.#options, db: leaseDb, tasks: [...handlers.keys()] })
  }
}
