/** What the stations of an api stand on: settings, task types, pools, links to the broker, and the look at the queues. */
import { createDepthProbe, type DepthProbe } from '../../broker/depth.ts'
import { createPublisher, type Publisher } from '../../broker/publisher.ts'
import { topologyOf } from '../../broker/topology.ts'
import { Queues } from '../../queues/queues.ts'
import type { Config } from '../../runtime/config.ts'
import { whenAsked } from '../../runtime/instruments.ts'
import type { Log } from '../../runtime/log.ts'
import { metrics } from '../../runtime/metrics.ts'
import type { Service } from '../../runtime/service.ts'
import { type Db, openDb } from '../../store/db.ts'
import type { TaskTypes } from '../../types/packs.ts'
import { ACCEPT_POOL } from '../connections.ts'
import { queuesOf, rungsOf, slotsOf } from '../rungs.ts'

export interface Foundation {
  readonly config: Config
  readonly types: TaskTypes
  readonly log: Log
  /** Queue to slots of one consumer. */
  readonly slots: ReadonlyMap<string, number>
  /** Accepts, and nothing else: neither reads nor the relay's work can make a 202 wait. */
  readonly acceptDb: Db
  readonly db: Db
  readonly publisher: Publisher
  readonly queues: Queues
  /** To be started in this order, before those of the stations. */
  readonly services: readonly Service[]
}

export function buildFoundation(config: Config, types: TaskTypes, log: Log): Foundation {
  const { databaseUrl: url, amqpUrl, consumerName, dbPool } = config
  const { contracts } = types
  const slots = slotsOf(contracts, config.queues)
  const names = queuesOf(contracts, slots)
  const acceptDb = openDb({ url, log, poolSize: ACCEPT_POOL, name: 'api accept', label: 'accept', isByKey: true })
  const db = openDb({ url, log, poolSize: dbPool, name: 'api', label: 'api' })
  const topology = topologyOf(names, rungsOf(contracts, config.retryLadderMs))
  const publisher = createPublisher({ url: amqpUrl, name: `relay ${consumerName}`, log, topology })
  const depth = createDepthProbe({ url: amqpUrl, name: `depth ${consumerName}`, log, topology })
  const queues = new Queues({ db, depth, queues: names, links: [publisher.link, depth.link], log })
  showLinks(publisher, depth)
  const pools: Service = {
    name: 'api pools',
    start: async () => undefined,
    stop: async () => void (await Promise.all([acceptDb.close(), db.close()])),
  }
  const services = [pools, publisher.link, depth.link, queues]
  return { config, types, log, slots, acceptDb, db, publisher, queues, services }
}

function showLinks(publisher: Publisher, depth: DepthProbe): void {
  whenAsked(() => {
    metrics.brokerReady.set({ connection: 'publish' }, publisher.link.state === 'ready' ? 1 : 0)
    metrics.brokerReady.set({ connection: 'depth' }, depth.link.state === 'ready' ? 1 : 0)
  })
}
