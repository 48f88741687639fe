/**
 * Decides whether a task may come in. Below the low mark every client may. From there on a client that asks for more than
 * its share is refused with rising probability, at the high mark always; a client within its share is always let in,
 * because the shares together are no more than what is worked off.
 */
import type { Admitted } from '../core/standing.ts'
import { type Clients, createClients } from './clients.ts'
import type { Monitor, QueueFigures } from './monitor.ts'

export interface AdmissionLimits {
  readonly depthLow: number
  readonly depthHigh: number
  /** For the outbox alone, while the broker is away. */
  readonly outboxHigh: number
  /** Tasks per second that every client may have of every queue, whatever happens. */
  readonly tricklePerSecond: number
}

export interface Admission {
  /** Decides about so many tasks of a client that come together, all of them or none, and counts them when they are let in. */
  admit(queue: string, client: string, count?: number): Admitted
  /** Tells whether the queue is below its low mark, so that every client has all that it asks for. */
  isCalm(queue: string): boolean
}

export interface AdmissionOptions {
  readonly monitor: Pick<Monitor, 'figuresOf' | 'replicas' | 'count'>
  readonly limits: AdmissionLimits
  readonly now?: () => number
  readonly random?: () => number
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { monitor, limits, now = () => performance.now(), random = Math.random } = options
  const byQueue = new Map<string, Clients>()

  /** Where the queue stands between its marks, 0-1. Unknown is treated as full: each client has its share and no more. */
  function pressureOf({ backlog, basis }: QueueFigures): { readonly pressure: number; readonly high: number } {
    const high = basis === 'outbox' ? limits.outboxHigh : limits.depthHigh
    const low = basis === 'outbox' ? limits.outboxHigh * 0.8 : limits.depthLow
    const pressure = backlog === undefined ? 1 : Math.min(1, Math.max(0, (backlog - low) / Math.max(1, high - low)))
    return { pressure, high }
  }

  return {
    isCalm: (queue) => pressureOf(monitor.figuresOf(queue)).pressure === 0,
    admit(queue, name, count = 1) {
      const at = now()
      const clients = byQueue.get(queue) ?? createClients()
      byQueue.set(queue, clients)
      const client = clients.of(name)
      client.demand.note(at, count)
      const figures = monitor.figuresOf(queue)
      const { backlog, drain } = figures
      const { pressure, high } = pressureOf(figures)
      const supply = { drain: drainToShare(drain, backlog, high), replicas: monitor.replicas }
      const rate = Math.max(limits.tricklePerSecond / monitor.replicas, clients.rateOf(client, supply, at))
      const isUncongested = pressure === 0
      if (isUncongested) client.bucket.refill(at, rate)
      const isWithin = isUncongested || client.bucket.take(at, rate, count)
      const isAdmitted = isWithin || random() >= pressure
      const standing = {
        queue,
        backlog,
        limit: high,
        sharePerSecond: rate,
        left: client.bucket.left(at, rate),
        startsInSeconds: backlog === undefined ? undefined : startsIn(backlog, figures),
      }
      if (!isAdmitted) {
        const wait = client.bucket.reserveRetry(at, rate)
        return { isAdmitted, standing, retryAfterSeconds: Math.ceil(wait * (1 + random() * 0.2)) }
      }
      if (isUncongested) clients.countBaseline(client, supply, at, count)
      monitor.count(queue, count)
      return { isAdmitted, standing }
    },
  }
}

/** Above the high mark less is shared out than is worked off, so that the queue comes back to its mark. */
function drainToShare(drain: number | undefined, backlog: number | undefined, high: number): number {
  const over = backlog === undefined ? 0 : Math.max(0, backlog / high - 1)
  return (drain ?? 0) * Math.max(0.5, 1 - 5 * over)
}

/**
 * Tells in how many seconds a task with so many before it will start. Without a living consumer, or when nothing is
 * worked off, there is no basis for saying; what fits into the slots does not wait.
 */
export function startsIn(ahead: number, { drain, slots }: QueueFigures): number | undefined {
  if (!slots) return undefined
  if (ahead < slots) return 0
  return drain === undefined || drain < 0.1 ? undefined : ahead / drain
}
