/**
 * One look a second at all work queues, read by admission, maintenance, scaling and the gauges: what waits on the broker,
 * what waits for it in the outbox, what runs. A figure that a look did not give is last known, then unknown; it is never 0.
 */
import type { DepthProbe, QueueDepth } from '../broker/depth.ts'
import type { Link } from '../broker/link.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop, type Loop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import { pause, within } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { type OutboxState, outboxState } from '../store/reads/outbox.ts'
import { runningByQueue } from '../store/reads/queues.ts'
import { type Figure, type FigureLimits, Remembered } from './figure.ts'

export interface QueueLoad {
  /** Messages that wait on the broker; those that a consumer has are not counted. */
  readonly ready: number
  /** Subscriptions. */
  readonly consumers: number
  /** Due outbox rows, which will be messages. */
  readonly due: number
}

export interface QueuesOptions {
  readonly db: Db
  readonly depth: DepthProbe
  readonly queues: readonly string[]
  /** Links that were started before; the first look waits a moment for those that are coming up. */
  readonly links: readonly Pick<Link, 'state' | 'trouble'>[]
  readonly log: Log
  readonly everyMs?: number
  readonly limits?: FigureLimits
}

/**
 * Known is what the last look gave, for as long as a look that fails may take and more. 30 s old is still better than
 * nothing: what was accepted since is added to it.
 */
export const LIMITS: FigureLimits = { knownMs: 5_000, forgottenMs: 30_000 }
/** Below the 2 s in which the pool gives up connecting, so that one of the two always speaks first. */
const DATABASE_WITHIN_MS = 1_500
/** A broker that has not answered for one queue by then is not asked for the others: the next look must not be late. */
const SILENT_AFTER_MS = 2_000
/** Links that were started just now come up within this time, or fail. */
const LINKS_UP_WITHIN_MS = 3_000

export class Queues implements Service {
  readonly name = 'queues'
  /** The queues of this deployment. */
  readonly names: readonly string[]
  readonly #options: QueuesOptions
  readonly #loop: Loop
  readonly #loads: ReadonlyMap<string, Remembered<QueueLoad>>
  readonly #outbox: Remembered<OutboxState>
  readonly #running: Remembered<ReadonlyMap<string, number>>
  readonly #acceptedSince = new Map<string, number>()
  #allAcceptedSince = 0
  #trouble: string | undefined

  constructor(options: QueuesOptions) {
    const { queues, log, everyMs = 1_000, limits = LIMITS } = options
    this.#options = options
    this.names = queues
    this.#loads = new Map(queues.map((queue) => [queue, new Remembered<QueueLoad>(limits)]))
    this.#outbox = new Remembered(limits)
    this.#running = new Remembered(limits)
    this.#loop = createLoop({ name: 'queues', everyMs, log, step: () => this.#step() })
  }

  /** Waits for the links, looks once and goes on looking. Resolves also when the first look told nothing. */
  async start(): Promise<void> {
    const { links, log } = this.#options
    const end = performance.now() + LINKS_UP_WITHIN_MS
    while (links.some(isComingUp) && performance.now() < end) await pause(20)
    await this.#step().catch((error: Error) => log.warn({ error: error.message }, 'the queues are not known yet'))
    await this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Gives what waits for a queue and who works on it. */
  load(queue: string): Figure<QueueLoad> {
    return this.#loads.get(queue)?.figure(performance.now()) ?? { state: 'unknown' }
  }

  /** Gives what is due in the outbox. */
  outbox(): Figure<OutboxState> {
    return this.#outbox.figure(performance.now())
  }

  /** Gives the attempts under way by queue, as old as the consumers' last renewals of their leases. */
  running(): Figure<ReadonlyMap<string, number>> {
    return this.#running.figure(performance.now())
  }

  /** Says why the last look at the database failed, or undefined when it did not. */
  get databaseTrouble(): string | undefined {
    return this.#trouble
  }

  /** Counts tasks that this process accepts: they are in no figure before the next look. */
  noteAccepted(queue: string, tasks: number): void {
    this.#acceptedSince.set(queue, this.acceptedSince(queue) + tasks)
    this.#allAcceptedSince += tasks
  }

  /** How many tasks of a queue this process has accepted since the look that `load` tells of. */
  acceptedSince(queue: string): number {
    return this.#acceptedSince.get(queue) ?? 0
  }

  /** How many tasks of all queues this process has accepted since the look that `outbox` tells of. */
  get allAcceptedSince(): number {
    return this.#allAcceptedSince
  }

  async #step(): Promise<boolean> {
    try {
      await this.#look()
      this.#trouble = undefined
    } catch (error) {
      this.#trouble = (error as Error).message
      this.#outbox.notTold()
      this.#running.notTold()
      for (const queue of this.names) this.#loadNotTold(queue)
      throw error
    }
    return false
  }

  /**
   * Asks in the direction of a task's way, so that what moves on meanwhile is counted twice and not lost between two
   * questions. Told together at the end, because figures of two looks would not add up.
   */
  async #look(): Promise<void> {
    const { db, depth } = this.#options
    const before = new Map(this.#acceptedSince)
    const allBefore = this.#allAcceptedSince
    const begunAt = performance.now()
    const outbox = await inTime(outboxState(db))
    const found = new Map<string, { readonly depth: QueueDepth; readonly at: number }>()
    let isSilent = false
    // One after the other, because a missing queue closes the channel for those that are asked at the same time.
    for (const queue of this.names) {
      const at = performance.now()
      const told: QueueDepth | undefined = isSilent ? undefined : await depth.depthOf(queue)
      isSilent ||= told === undefined && performance.now() - at > SILENT_AFTER_MS
      if (told) found.set(queue, { depth: told, at })
    }
    const runningAt = performance.now()
    const running = await inTime(runningByQueue(db))
    this.#outbox.told(outbox, begunAt)
    this.#allAcceptedSince -= allBefore
    this.#running.told(running, runningAt)
    for (const queue of this.names) {
      const one = found.get(queue)
      if (!one) {
        this.#loadNotTold(queue)
        continue
      }
      this.#loadTold(queue, { ...one.depth, due: outbox.byQueue.get(queue) ?? 0 }, one.at)
      this.#acceptedSince.set(queue, this.acceptedSince(queue) - (before.get(queue) ?? 0))
    }
  }

  #loadTold(queue: string, load: QueueLoad, at: number): void {
    this.#loads.get(queue)?.told(load, at)
    metrics.queueReady.set({ queue }, load.ready)
    metrics.queueConsumers.set({ queue }, load.consumers)
    metrics.backlog.set({ queue }, load.ready + load.due)
  }

  /** A figure that is not measured any more is no figure: panels and alerts must not go by the last one. */
  #loadNotTold(queue: string): void {
    this.#loads.get(queue)?.notTold()
    for (const gauge of [metrics.queueReady, metrics.queueConsumers, metrics.backlog]) gauge.remove({ queue })
  }
}

function inTime<Answer>(asked: Promise<Answer>): Promise<Answer> {
  return within(DATABASE_WITHIN_MS, asked, () => new Error(`no answer within ${DATABASE_WITHIN_MS / 1_000} s`))
}

function isComingUp({ state, trouble }: Pick<Link, 'state' | 'trouble'>): boolean {
  return state === 'connecting' && trouble === undefined
}
