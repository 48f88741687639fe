/**
 * One life of this consumer: an id, a lease that is kept alive, and the attempts in hand. When the lease is lost the
 * life is over for ever: all its attempts are aborted, and whatever they still write is fenced.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Aborted } from 'nightshift-tasks'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Db } from '../store/db.ts'
import { beginLife, renewLease } from '../store/moves/lease.ts'

export interface InHand {
  readonly id: string
  readonly attempt: number
  readonly abort: (why: Aborted) => void
}

export interface ConsumerLife {
  readonly id: string
  /** Aborts when the lease is lost or the life is closed. */
  readonly over: AbortSignal
  /** The attempts that run now, by task id. */
  readonly inHand: Map<string, InHand>
  /** How many attempts this life has begun, by queue; the gateway measures the drain by it. */
  readonly begun: Map<string, number>
  /** Stops renewing. The lease itself is ended in the database by `endLife`. */
  close(): void
}

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

/** Begins a life. Rejects when the database does not answer. */
export async function openLife(options: LifeOptions): Promise<ConsumerLife> {
  const { db, leaseSeconds, log } = options
  const id = randomUUID()
  const leaseMs = leaseSeconds * 1_000
  const over = new AbortController()
  const inHand = new Map<string, InHand>()
  const begun = new Map<string, number>()
  // By the monotonic clock, and counted from before the question was sent: never later than the database's own end.
  let aliveUntil = performance.now() + leaseMs
  await beginLife(db, { ...options, id })

  function lose(why: string): void {
    if (over.signal.aborted) return
    metrics.leasesLost.inc()
    log.warn({ consumer: id, why, in_hand: inHand.size }, 'lease lost')
    over.abort(new Aborted('lease_lost'))
    for (const attempt of inHand.values()) attempt.abort(new Aborted('lease_lost'))
  }

  async function renew(): Promise<void> {
    const asked = performance.now()
    const held = [...inHand.values()].map(({ id: task, attempt }) => ({ id: task, attempt }))
    const { isAlive, lost } = await renewLease(db, id, leaseSeconds, held, Object.fromEntries(begun))
    if (!isAlive) return lose('it had run out')
    aliveUntil = asked + leaseMs
    for (const task of lost) inHand.get(task)?.abort(new Aborted('cancelled'))
  }

  async function keep(): Promise<void> {
    while (!over.signal.aborted) {
      await sleep(leaseMs * 0.3, undefined, { signal: over.signal }).catch(() => undefined)
      if (over.signal.aborted) return
      await renew().catch((error: Error) => log.warn({ consumer: id, error: error.message }, 'lease not renewed'))
    }
  }

  const expiry = setInterval(() => {
    if (performance.now() > aliveUntil) lose('the database did not answer in time')
  }, leaseMs / 20)
  over.signal.addEventListener('abort', () => clearInterval(expiry), { once: true })
  void keep()

  return { id, over: over.signal, inHand, begun, close: () => over.abort(new Aborted('drain')) }
}
