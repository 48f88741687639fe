/**
 * Tells Kubernetes which consumers may go first: writes how busy each is, by its lease, to the deletion cost of its pod.
 * Every api process does so; each reads what a pod has before it writes, so they agree and the second writes nothing.
 * Best effort: without the API server everything else goes on, and pods are chosen as if they were all alike.
 */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { type Busy, busyConsumers } from '../store/reads/consumers.ts'
import { costOf, createSteady, type Steady } from './busyness.ts'
import { openPods, ownNamespace, type Pods } from './pods.ts'

export interface DeletionCostOptions {
  readonly db: Db
  /** Undefined: that of the service account. */
  readonly namespace: string | undefined
  readonly log: Log
}

interface Consumer {
  readonly steady: Steady
  /** What its pod is known to say; undefined before it was read. */
  written: number | undefined
}

/** Autoscalers decide every 15 s; a lease tells what runs every 3 s. */
const EVERY_MS = 2_000

export function createDeletionCost({ db, namespace, log }: DeletionCostOptions): Service {
  /** By life, so that a pod that was replaced under the same name is looked at anew. */
  const consumers = new Map<string, Consumer>()
  let pods: Pods | undefined
  let isAway = false

  async function step(): Promise<boolean> {
    const alive = newestLives(await busyConsumers(db))
    for (const life of consumers.keys()) if (!alive.has(life)) consumers.delete(life)
    try {
      pods ??= await openPods(namespace ?? (await ownNamespace()))
      for (const consumer of alive.values()) await show(pods, consumer)
      if (isAway) log.info({}, 'pod deletion costs are written again')
      isAway = false
    } catch (error) {
      metrics.podDeletionCosts.inc({ result: 'failed' })
      // Once, however long it lasts: nothing is lost by it, and the metric counts on.
      if (!isAway) log.warn({ error: reasonOf(error) }, 'pod deletion costs cannot be written: tasks are not affected')
      isAway = true
    }
    return false
  }

  async function show(open: Pods, busy: Busy): Promise<void> {
    const consumer = consumers.get(busy.life) ?? { steady: createSteady(), written: undefined }
    consumers.set(busy.life, consumer)
    const cost = consumer.steady.next(costOf(busy), performance.now())
    if (consumer.written === cost) return
    const found = await open.costOf(busy.name)
    // Without such a pod this consumer runs elsewhere; nobody will end it by its cost.
    if (found !== undefined && found !== cost) {
      await open.setCost(busy.name, cost)
      metrics.podDeletionCosts.inc({ result: 'written' })
    }
    consumer.written = cost
  }

  const loop = createLoop({ name: 'pod deletion costs', everyMs: EVERY_MS, log, step })
  return { name: 'pod deletion costs', start: loop.start, stop: loop.stop }
}

/** A process that lost its lease lives on under the same name; the newest life of each name is the one that counts. */
function newestLives(all: readonly Busy[]): ReadonlyMap<string, Busy> {
  const byName = new Map(all.map((busy) => [busy.name, busy]))
  return new Map([...byName.values()].map((busy) => [busy.life, busy]))
}

function reasonOf(error: unknown): string {
  const { code, cause, message } = error as { code?: unknown; cause?: Error; message: string }
  if (code === 403) return 'forbidden: the service account of the api needs the rights get and patch on pods'
  if (typeof code === 'number') return `the API server answered ${code}`
  return cause?.message ?? message
}
