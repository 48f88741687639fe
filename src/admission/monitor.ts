/**
 * Knows how much waits in each queue and how fast it is worked off. One look a second; between looks the last figure
 * and what all replicas may have accepted since. It says how good its knowledge is, and never guesses in silence.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DepthProbe, QueueDepth } from '../broker/depth.ts'
import type { Link } from '../broker/session.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { outboxState } from '../store/reads/outbox.ts'
import { type Load, readLoad, signOut } from '../store/upkeep/api-processes.ts'
import { createDrain, type Drain, type Report } from './drain.ts'

export interface QueueFigures {
  /** Tasks that wait, or undefined when nothing is known. */
  readonly backlog: number | undefined
  /** `depth`: queue and outbox. `outbox`: the broker is away, everything waits in the outbox. `unknown`: neither. */
  readonly basis: 'depth' | 'outbox' | 'unknown'
  /** Tasks begun per second, by all consumers; undefined before it was measured. */
  readonly drain: number | undefined
  /** Tasks that the subscribed consumers run at once, or undefined when not known. */
  readonly slots: number | undefined
}

export interface Monitor extends Service {
  figuresOf(queue: string): QueueFigures
  /** Api processes alive, 1 or more. */
  readonly replicas: number
  /** Counts a task that this process is about to accept. */
  count(queue: string): void
}

interface Seen {
  readonly ready: number
  readonly consumers: number
  readonly outbox: number
  readonly at: number
}

/** An answer this old is still better than none: what was accepted since is added to it. */
const TOO_OLD_MS = 30_000
/** Whoever has not answered for one queue by then is not asked for the others: the next look must not be long in coming. */
const SILENT_AFTER_MS = 2_000
/** Links that were started just now come up within this time, or fail. */
const LINKS_UP_WITHIN_MS = 3_000

export interface MonitorOptions {
  readonly db: Db
  readonly depth: DepthProbe
  /** Publishes the tasks that are accepted; started before this service. */
  readonly publisher: Pick<Link, 'state' | 'trouble'>
  readonly queues: readonly string[]
  /** By the setting QUEUES, which the consumers have too. */
  readonly slotsPerConsumer: ReadonlyMap<string, number>
  readonly name: string
  readonly log: Log
}

export function createMonitor(options: MonitorOptions): Monitor {
  const { db, depth, publisher, queues, slotsPerConsumer, name, log } = options
  const id = randomUUID()
  const seen = new Map<string, Seen>()
  const acceptedSince = new Map<string, number>()
  const drains = new Map<string, Drain>(queues.map((queue) => [queue, createDrain()]))
  let outboxRows: { readonly rows: number; readonly at: number } | undefined
  let outboxSince = 0
  let replicas = 1

  async function look(): Promise<boolean> {
    const begunBefore = new Map(acceptedSince)
    const outboxBefore = outboxSince
    const at = performance.now()
    const [load, outbox] = await Promise.all([readLoad(db, id, name), outboxState(db)])
    replicas = load.replicas
    outboxRows = { rows: outbox.dueRows, at }
    outboxSince -= outboxBefore
    let isSilent = false
    // One after the other, because a missing queue closes the channel for those that are asked at the same time.
    for (const queue of queues) {
      drains.get(queue)?.read(at, reportsOf(load, queue))
      metrics.drainPerSecond.set({ queue }, drains.get(queue)?.perSecond ?? 0)
      const asked = performance.now()
      const found: QueueDepth | undefined = isSilent ? undefined : await depth.depthOf(queue)
      isSilent ||= found === undefined && performance.now() - asked > SILENT_AFTER_MS
      if (!found) {
        metrics.backlog.remove({ queue })
        continue
      }
      seen.set(queue, { ...found, outbox: outbox.byQueue[queue] ?? 0, at })
      acceptedSince.set(queue, (acceptedSince.get(queue) ?? 0) - (begunBefore.get(queue) ?? 0))
      metrics.backlog.set({ queue }, found.ready + (outbox.byQueue[queue] ?? 0))
    }
    return false
  }

  function figuresOf(queue: string): QueueFigures {
    const now = performance.now()
    const drain = drains.get(queue)?.perSecond
    const last = seen.get(queue)
    const isFresh = last !== undefined && now - last.at < TOO_OLD_MS
    // Blocked or disconnected, what is accepted waits in the outbox: there is room for it, so the door stays open.
    if (publisher.state === 'ready' && isFresh) {
      const backlog = last.ready + last.outbox + (acceptedSince.get(queue) ?? 0) * replicas
      const slots = last.consumers * (slotsPerConsumer.get(queue) ?? 1)
      return { backlog, basis: 'depth', drain, slots }
    }
    if (outboxRows !== undefined && now - outboxRows.at < TOO_OLD_MS) {
      return { backlog: outboxRows.rows + outboxSince * replicas, basis: 'outbox', drain, slots: undefined }
    }
    return { backlog: undefined, basis: 'unknown', drain, slots: undefined }
  }

  const loop = createLoop({ name: 'admission monitor', everyMs: 1_000, log, step: look })
  return {
    name: 'admission monitor',
    // The door opens knowing how things stand, or that the broker is away: a process that joins in the middle of a flood
    // would let all of it in until its links are up. Before the first look nothing is known, and only shares come in.
    async start() {
      const end = performance.now() + LINKS_UP_WITHIN_MS
      while ([publisher, depth].some(isComingUp) && performance.now() < end) await sleep(20)
      await look().catch((error: Error) => log.warn({ error: error.message }, 'the load is not known yet'))
      await loop.start()
    },
    async stop() {
      await loop.stop()
      await signOut(db, id).catch(() => undefined)
    },
    figuresOf,
    get replicas() {
      return replicas
    },
    count(queue) {
      acceptedSince.set(queue, (acceptedSince.get(queue) ?? 0) + 1)
      outboxSince += 1
    },
  }
}

function isComingUp({ state, trouble }: Pick<Link, 'state' | 'trouble'>): boolean {
  return state === 'connecting' && trouble === undefined
}

function reportsOf(load: Load, queue: string): ReadonlyMap<string, Report> {
  return new Map([...load.lives].map(([life, report]) => [life, { ...report, begun: report.begun[queue] ?? 0 }]))
}
