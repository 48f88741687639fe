/** The consumer role: leases, subscriptions and handlers. It serves only its metrics and health. */
import { topologyOf } from '../broker/topology.ts'
import { Consumer } from '../consumer/consumer.ts'
import { createWatchdog } from '../consumer/watchdog.ts'
import { VERSION } from '../runtime/build-info.ts'
import type { Config } from '../runtime/config.ts'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Readiness } from '../runtime/metrics-server.ts'
import type { Service } from '../runtime/service.ts'
import { openDb } from '../store/db.ts'
import { loadHandlers } from '../types/handlers.ts'
import type { TaskTypes } from '../types/packs.ts'
import { CLAIMS_POOL, LEASE_POOL } from './connections.ts'
import { firstFiguresOfConsumer } from './first-figures.ts'
import { rungsOf, slotsOf } from './rungs.ts'

export interface BuiltConsumer {
  readonly services: readonly Service[]
  /** Tells whether it takes work now. */
  ready(): Promise<Readiness>
}

/** Loads the handlers and puts a consumer together; nothing connects before it is started. */
export async function buildConsumer(config: Config, types: TaskTypes, log: Log): Promise<BuiltConsumer> {
  const { contracts, schemas } = types
  const handlers = await loadHandlers(types)
  const queues = slotsOf(contracts, config.queues)
  const name = config.consumerName
  const open = { url: config.databaseUrl, log }
  // Three pools, so that none of the three can be kept waiting by another: the lease, claims and settles, transactions.
  const leaseDb = openDb({
    ...open,
    poolSize: LEASE_POOL,
    name: `${name} lease`,
    label: 'lease',
    queryTimeoutMs: config.leaseSeconds * 300,
  })
  const db = openDb({ ...open, poolSize: CLAIMS_POOL, name: `${name} claims`, label: 'claims', isByKey: true })
  // Waiting for a row lock is bounded by the task's deadline, not by a statement's.
  const effectsDb = openDb({
    ...open,
    poolSize: config.dbPool,
    name: `${name} effects`,
    label: 'effects',
    queryTimeoutMs: 0,
    runs: 'handlers',
  })
  const rungs = rungsOf(contracts, config.retryLadderMs)
  const consumer = new Consumer({
    name,
    version: VERSION,
    amqpUrl: config.amqpUrl,
    topology: topologyOf(queues.keys(), rungs),
    queues,
    handlers,
    schemas,
    ladderMs: config.retryLadderMs,
    leaseSeconds: config.leaseSeconds,
    drainGraceSeconds: config.drainGraceSeconds,
    db,
    leaseDb,
    effectsDb,
    log,
  })
  const pools: Service = {
    name: 'consumer pools',
    start: async () => undefined,
    stop: async () => void (await Promise.all([db.close(), leaseDb.close(), effectsDb.close()])),
  }
  firstFiguresOfConsumer(queues, contracts.keys(), rungs)
  whenAsked(() => metrics.brokerReady.set({ connection: 'consume' }, consumer.link.state === 'ready' ? 1 : 0))
  return {
    services: [pools, createWatchdog(config.leaseSeconds), consumer],
    ready: async () => {
      const checks = {
        broker:
          consumer.link.state === 'ready'
            ? 'ok'
            : `${consumer.link.state}: ${consumer.link.trouble ?? 'no session yet'}`,
        lease: consumer.lifeId === undefined ? 'no lease from the database' : 'ok',
      }
      return { ready: Object.values(checks).every((check) => check === 'ok'), checks }
    },
  }
}
