/**
 * Knows how much waits in each queue and how fast it is worked off. Between two looks at the queues it adds what all
 * replicas may have accepted since. It says how good its knowledge is, and never guesses silently.
 */
import { randomUUID } from 'node:crypto'
import type { Link } from '../broker/link.ts'
import { Remembered } from '../queues/figure.ts'
import { LIMITS, type Queues } from '../queues/queues.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
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
  /** Counts tasks that this process is about to accept. */
  count(queue: string, tasks: number): void
}

export interface MonitorOptions {
  readonly db: Db
  /** Started before this service. */
  readonly queues: Queues
  /** Publishes the tasks that are accepted. */
  readonly publisher: Pick<Link, 'state'>
  /** By the setting QUEUES, which the consumers have too. */
  readonly slotsPerConsumer: ReadonlyMap<string, number>
  readonly name: string
  readonly log: Log
}

export function createMonitor(options: MonitorOptions): Monitor {
  const { db, publisher, queues, slotsPerConsumer, name, log } = options
  const id = randomUUID()
  const drains = new Map<string, Drain>(queues.names.map((queue) => [queue, createDrain()]))
  const replicas = new Remembered<number>(LIMITS)

  async function look(): Promise<boolean> {
    const at = performance.now()
    const load = await readLoad(db, id, name)
    replicas.told(load.replicas, at)
    for (const [queue, drain] of drains) {
      drain.read(at, reportsOf(load, queue))
      metrics.drainPerSecond.set({ queue }, drain.perSecond ?? 0)
    }
    return false
  }

  function figuresOf(queue: string): QueueFigures {
    const drain = drains.get(queue)?.perSecond
    const processes = replicas.figure(performance.now())
    // Who else accepts is not known: neither is what they have let in.
    if (processes.state === 'unknown') return { backlog: undefined, basis: 'unknown', drain, slots: undefined }
    const load = queues.load(queue)
    // Blocked or disconnected, what is accepted waits in the outbox: there is room for it, so the door stays open.
    if (publisher.state === 'ready' && load.state !== 'unknown') {
      const { ready, due, consumers } = load.value
      const backlog = ready + due + queues.acceptedSince(queue) * processes.value
      return { backlog, basis: 'depth', drain, slots: consumers * (slotsPerConsumer.get(queue) ?? 1) }
    }
    const outbox = queues.outbox()
    if (outbox.state !== 'unknown') {
      const backlog = outbox.value.dueRows + queues.allAcceptedSince * processes.value
      return { backlog, basis: 'outbox', drain, slots: undefined }
    }
    return { backlog: undefined, basis: 'unknown', drain, slots: undefined }
  }

  const loop = createLoop({ name: 'admission monitor', everyMs: 1_000, log, step: look })
  return {
    name: 'admission monitor',
    // The queues were looked at before: a process that joins in the middle of a flood would else let all of it in. Before
    // the first look nothing is known, and only shares come in.
    async start() {
      await look().catch((error: Error) => log.warn({ error: error.message }, 'the load is not known yet'))
      await loop.start()
    },
    async stop() {
      await loop.stop()
      await signOut(db, id).catch(() => undefined)
    },
    figuresOf,
    get replicas() {
      const processes = replicas.figure(performance.now())
      return processes.state === 'unknown' ? 1 : processes.value
    },
    count: (queue, tasks) => queues.noteAccepted(queue, tasks),
  }
}

function reportsOf(load: Load, queue: string): ReadonlyMap<string, Report> {
  return new Map([...load.lives].map(([life, report]) => [life, { ...report, begun: report.begun.get(queue) ?? 0 }]))
}
