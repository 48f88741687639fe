/** The api role: the gateway, the relay, maintenance and the status calls, in one process. */
import { createAdmission, startsIn } from '../admission/admission.ts'
import { createBurstRecorder } from '../admission/burst-recorder.ts'
import { createMonitor } from '../admission/monitor.ts'
import { withDocs } from '../api-docs/docs.ts'
import { createDepthProbe } from '../broker/depth.ts'
import { createPublisher } from '../broker/publisher.ts'
import { topologyOf } from '../broker/topology.ts'
import { keyedTasksOf } from '../core/task-types.ts'
import { createCheckup } from '../doctor/checkup.ts'
import type { Admission } from '../gateway/admit.ts'
import { createGroupCommit } from '../gateway/group-commit.ts'
import { createGatewayRoutes } from '../gateway/routes.ts'
import { createHttpServer, type HttpServer } from '../http/server.ts'
import { createGauges } from '../maintenance/gauges.ts'
import { createMaintenance } from '../maintenance/maintenance.ts'
import { createRetention } from '../maintenance/retention.ts'
import { Queues } from '../queues/queues.ts'
import { createAbsenceRecorder } from '../relay/absence-recorder.ts'
import { createRelay } from '../relay/relay.ts'
import { VERSION } from '../runtime/build-info.ts'
import type { Config } from '../runtime/config.ts'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Page, Readiness } from '../runtime/metrics-server.ts'
import type { Service } from '../runtime/service.ts'
import { createDeletionCost } from '../scaling/deletion-cost.ts'
import { createScalingPage } from '../scaling/endpoint.ts'
import { readinessOf } from '../status/health-routes.ts'
import { createStatusRoutes } from '../status/routes.ts'
import { createTaskReader } from '../status/task-routes.ts'
import { createWaiter } from '../status/waiter.ts'
import { findCaller } from '../store/api-keys.ts'
import { isOutage, openDb } from '../store/db.ts'
import { finishedAmong } from '../store/reads/tasks.ts'
import { createIdClock } from '../store/task-ids.ts'
import { refuseShadows, type TaskTypes } from '../types/packs.ts'
import { createRequestRoutes } from '../why/request-routes.ts'
import { ACCEPT_POOL, connectionsOf } from './connections.ts'
import { firstFiguresOfApi } from './first-figures.ts'
import { queuesOf, rungsOf, slotsOf } from './rungs.ts'

export interface BuiltApi {
  readonly services: readonly Service[]
  readonly http: HttpServer
  /** What it serves on the metrics port, by path. */
  readonly pages: ReadonlyMap<string, Page>
  ready(): Promise<Readiness>
}

const UNVOUCHED = '(unvouched)'

/** Puts an api together; nothing connects before it is started. */
export function buildApi(config: Config, types: TaskTypes, log: Log): BuiltApi {
  const { contracts, schemas } = types
  const slots = slotsOf(contracts, config.queues)
  const names = queuesOf(contracts, slots)
  const { databaseUrl: url, resultTtlMs, taskRetentionMs, leaseSeconds } = config
  const acceptDb = openDb({ url, log, poolSize: ACCEPT_POOL, name: 'api accept', label: 'accept', isByKey: true })
  const db = openDb({ url, log, poolSize: config.dbPool, name: 'api', label: 'api' })

  const topology = topologyOf(names, rungsOf(contracts, config.retryLadderMs))
  const publisher = createPublisher({ url: config.amqpUrl, name: `relay ${config.consumerName}`, log, topology })
  const depth = createDepthProbe({ url: config.amqpUrl, name: `depth ${config.consumerName}`, log, topology })
  const relay = createRelay({ db, publisher, log })
  const groupCommit = createGroupCommit({
    db: acceptDb,
    fastPath: relay,
    name: config.consumerName,
    // Without keys anybody can name himself anything, and every name would be a series of its own.
    clientLabel: (client) => (config.auth === 'on' ? client : 'other'),
    log,
  })

  const queues = new Queues({ db, depth, queues: names, links: [publisher, depth.link], log })
  const monitor = createMonitor({
    db,
    publisher,
    queues,
    slotsPerConsumer: slots,
    name: config.consumerName,
    log,
  })
  const byQueue = createAdmission({ monitor, limits: config })
  const bursts = createBurstRecorder({ db, log })
  const admission: Admission = {
    admit({ queue, client, name }) {
      // Callers that no key vouches for share one share: a name costs them nothing.
      const admitted = byQueue.admit(queue, config.auth === 'on' ? client : UNVOUCHED)
      bursts.note(client, name, admitted.isAdmitted)
      return admitted
    },
  }

  const clock = createIdClock()
  const adjustClock = createLoop({
    name: 'clock',
    everyMs: 60_000,
    log,
    step: async () => {
      await clock.adjust(db)
      return false
    },
  })
  const waiter = createWaiter({ finishedAmong: (ids) => finishedAmong(db, ids) })
  const readTask = createTaskReader({
    db,
    resultTtlMs,
    startsInSeconds: (queue, ahead) => startsIn(ahead, monitor.figuresOf(queue)),
  })
  const broker = (): { connected: boolean; detail: string } => ({
    connected: publisher.state === 'ready',
    detail: publisher.trouble ?? publisher.state,
  })
  const storyOptions = { db, resultTtlMs, keyedTasks: keyedTasksOf(contracts) }
  const routes = [
    ...createGatewayRoutes({
      db,
      groupCommit,
      rules: { contracts, queues: new Set(names), newId: clock.newId, taskRetentionMs },
      packRoutes: types.routes,
      acceptMode: config.acceptMode,
      admission,
      waitForEnd: waiter.waitForEnd,
      readTask,
    }),
    ...createStatusRoutes({ db, schemas, resultTtlMs, readTask, waitForEnd: waiter.waitForEnd, broker }),
    ...createRequestRoutes(storyOptions),
  ]
  refuseShadows(
    types,
    routes.map(({ path }) => path),
  )
  const http = createHttpServer({
    config,
    log,
    findCaller: (key) => findCaller(db, key),
    isOutage,
    routes: withDocs(routes, contracts, VERSION),
    lingerMs: 1_000,
  })
  const { maxReplicas, dbPool } = config
  const checkup = createCheckup({ db, schemas, maxReplicas, connectionsOf: connectionsOf(dbPool) }, log)
  const pools: Service = {
    name: 'api pools',
    start: async () => undefined,
    stop: async () => void (await Promise.all([acceptDb.close(), db.close()])),
  }
  firstFiguresOfApi(config, contracts.keys())
  whenAsked(() => {
    metrics.brokerReady.set({ connection: 'publish' }, publisher.state === 'ready' ? 1 : 0)
    metrics.brokerReady.set({ connection: 'depth' }, depth.link.state === 'ready' ? 1 : 0)
  })
  return {
    http,
    services: [
      pools,
      adjustClock,
      publisher,
      depth.link,
      queues,
      monitor,
      bursts,
      relay,
      createAbsenceRecorder({ db, publisher, process: config.consumerName, keptMs: taskRetentionMs, log }),
      createMaintenance({ db, queues, leaseSeconds, quietSeconds: config.auditQuietSeconds, log }),
      createRetention({ db, resultTtlMs, taskRetentionMs, log }),
      createGauges({ db, queues, log }),
      ...(config.podDeletionCost === 'true' ? [createDeletionCost({ db, namespace: config.podNamespace, log })] : []),
      waiter,
      checkup,
      http,
    ],
    pages: new Map([['/scaling', createScalingPage(queues)]]),
    ready: async () => ({ ...(await readinessOf(db, schemas)), findings: checkup.findings }),
  }
}
