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
  /** Decides about one task of a client, and counts it when it is let in. */
  admit(queue: string, client: string): Admitted
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

  return {
    admit(queue, name) {
      const at = now()
      const clients = byQueue.get(queue) ?? createClients()
      byQueue.set(queue, clients)
      const client = clients.of(name)
      client.demand.note(at)
      const figures = monitor.figuresOf(queue)
      const { backlog, basis, drain } = figures
      const high = basis === 'outbox' ? limits.outboxHigh : limits.depthHigh
      const low = basis === 'outbox' ? limits.outboxHigh * 0.8 : limits.depthLow
      const supply = { drain: drainToShare(drain, backlog, high), replicas: monitor.replicas }
      const rate = Math.max(limits.tricklePerSecond / monitor.replicas, clients.rateOf(client, supply, at))
      // Unknown is treated as full: each client has its share and no more.
      const pressure = backlog === undefined ? 1 : Math.min(1, Math.max(0, (backlog - low) / Math.max(1, high - low)))
      const isUncongested = pressure === 0
      if (isUncongested) client.bucket.refill(at, rate)
      const isWithin = isUncongested || client.bucket.take(at, rate)
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
      if (isUncongested) clients.countBaseline(client, supply, at)
      monitor.count(queue)
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
