/**
 * The consumer: one life after another, each with its lease and its subscriptions. It subscribes only while its lease is
 * alive; a lost lease drops the broker session, and a new life begins under a new id.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Aborted } from 'nightshift-tasks'
import type { Delivery } from '../broker/delivery.ts'
import { createLink, type Link } from '../broker/link.ts'
import type { Session } from '../broker/session.ts'
import { type Subscription, subscribe } from '../broker/subscription.ts'
import { declareTopology, type Topology } from '../broker/topology.ts'
import type { Handlers, PackSchema } from '../core/task-types.ts'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'
import { aborted } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { missingMigrations } from '../store/migrate.ts'
import { type EndOfLife, endLife } from '../store/moves/hand-back.ts'
import { type Attempts, createAttempts } from './attempt.ts'
import { createGate, type Gate } from './gate.ts'
import { type ConsumerLife, openLife } from './life.ts'

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

export interface Consumer extends Service {
  readonly link: Link
  /** The id of the life that works now, or undefined between lives. */
  readonly lifeId: string | undefined
}

interface Work {
  readonly life: ConsumerLife
  readonly attempts: Attempts
  readonly subscriptions: Subscription[]
  readonly underWay: Set<Delivery>
  /** Called when nothing is under way any more. */
  onIdle: (() => void) | undefined
}

export function createConsumer(options: ConsumerOptions): Consumer {
  const { log, queues, topology } = options
  /** Ends the lives and takes no more deliveries; what is not claimed then goes back when `draining` aborts. */
  let stopping = new AbortController()
  let draining = new AbortController()
  let session: Session | undefined
  let work: Work | undefined
  let living: Promise<void> | undefined

  const link = createLink({
    url: options.amqpUrl,
    name: `consumer ${options.name}`,
    log,
    onSession: async (fresh) => {
      await declareTopology(fresh, topology, log)
      session = fresh
      if (work) subscribeTo(work, fresh)
    },
  })

  function subscribeTo(current: Work, owner: Session): void {
    if (stopping.signal.aborted || current.life.over.aborted) return
    current.subscriptions.length = 0
    for (const [queue, slots] of queues) {
      const onDelivery = (delivery: Delivery): void => void handle(current, delivery)
      current.subscriptions.push(subscribe({ session: owner, topology, queue, prefetch: slots, log, onDelivery }))
    }
  }

  async function handle(current: Work, delivery: Delivery): Promise<void> {
    current.underWay.add(delivery)
    try {
      await current.attempts.handle(delivery)
    } catch (error) {
      log.error({ error }, 'a delivery could not be handled, the broker redelivers it')
    } finally {
      current.underWay.delete(delivery)
      if (current.underWay.size === 0) current.onIdle?.()
    }
  }

  async function beginWork(gate: Gate): Promise<Work> {
    const { leaseDb, schemas, name, version, leaseSeconds } = options
    const missing = await missingMigrations(leaseDb, schemas)
    if (missing.length > 0) throw new Error(`the schema lacks ${missing.join(', ')}: run \`nightshift migrate\``)
    const tasks = [...options.handlers.keys()]
    const life = await openLife({ db: leaseDb, name, version, queues, tasks, leaseSeconds, log })
    const attempts = createAttempts({ ...options, life, gate, draining: draining.signal })
    log.info({ consumer: life.id }, 'consumer life begins')
    return { life, attempts, subscriptions: [], underWay: new Set(), onIdle: undefined }
  }

  async function live(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        work = await beginWork(createGate())
      } catch (error) {
        log.warn({ error: (error as Error).message }, 'no lease from the database, asking again')
        await sleep(500 + Math.random() * 500, undefined, { signal: stopping.signal }).catch(() => undefined)
        continue
      }
      if (session && !session.ended.aborted) subscribeTo(work, session)
      await aborted(AbortSignal.any([work.life.over, stopping.signal]))
      if (stopping.signal.aborted) return
      session?.fail('the lease was lost')
      await handBack(work.life, 'lease_lost')
      work = undefined
    }
  }

  /**
   * Gives back what the table says this life runs. After a lost lease the auditor would do it too, after a lease; this
   * is sooner, and it is known here that nobody died.
   */
  async function handBack(life: ConsumerLife, because: EndOfLife): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const tasks = await endLife(options.leaseDb, life.id, because)
        log.info({ consumer: life.id, tasks }, 'consumer life ended, what it ran is handed back')
        return
      } catch (error) {
        log.warn({ consumer: life.id, error: (error as Error).message }, 'hand-back not answered')
        // While draining the auditor is the one who will do it; otherwise there is nothing better to do than to ask.
        if (stopping.signal.aborted && tries >= 3) return
        await sleep(500 + Math.random() * 500)
      }
    }
  }

  async function drain(current: Work): Promise<void> {
    const { life, subscriptions, underWay } = current
    await Promise.all(subscriptions.map((subscription) => subscription.cancel()))
    // Only now: what is given back while still subscribed would come straight back, and count as delivered.
    draining.abort(new Aborted('drain'))
    const graceMs = options.drainGraceSeconds * 1_000
    const finished = new Promise<void>((resolve) => {
      current.onIdle = resolve
      if (underWay.size === 0) resolve()
    })
    await Promise.race([finished, sleep(graceMs, undefined, { ref: false })])
    const left = [...underWay]
    for (const attempt of life.inHand.values()) attempt.abort(new Aborted('drain'))
    await handBack(life, 'told_to_stop')
    // What was claimed has been handed back, with a message of its own; what was not has only this one.
    for (const delivery of left) current.attempts.isClaimed(delivery) ? delivery.ack() : delivery.requeue()
    life.close()
    await Promise.race([finished, sleep(1_000, undefined, { ref: false })])
    await Promise.all(subscriptions.map((subscription) => subscription.close()))
  }

  return {
    name: 'consumer',
    link,
    get lifeId() {
      return work?.life.id
    },
    async start() {
      if (living) return
      stopping = new AbortController()
      draining = new AbortController()
      await link.start()
      living = live()
    },
    async stop() {
      if (!living) return
      stopping.abort(new Aborted('drain'))
      await living
      if (work) await drain(work)
      await link.stop()
      living = undefined
      work = undefined
    },
  }
}
