/** The api role: gateway, relay, maintenance, scaling and the status calls, in one process. One builder for each station. */
import { withDocs } from '../../api-docs/docs.ts'
import { createCheckup } from '../../doctor/checkup.ts'
import type { Route } from '../../http/route.ts'
import { createHttpServer, type HttpServer } from '../../http/server.ts'
import { VERSION } from '../../runtime/build-info.ts'
import type { Config } from '../../runtime/config.ts'
import type { Log } from '../../runtime/log.ts'
import type { Page, Readiness } from '../../runtime/metrics-server.ts'
import type { Service } from '../../runtime/service.ts'
import { readinessOf } from '../../status/health-routes.ts'
import { findCaller } from '../../store/api-keys.ts'
import { refuseShadows, type TaskTypes } from '../../types/packs.ts'
import { connectionsOf } from '../connections.ts'
import { firstFiguresOfApi } from '../first-figures.ts'
import { buildAdmission } from './admission.ts'
import { buildFoundation, type Foundation } from './foundation.ts'
import { buildGateway } from './gateway.ts'
import { buildMaintenance } from './maintenance.ts'
import { buildRelay } from './relay.ts'
import { buildScaling } from './scaling.ts'
import { buildStatus } from './status.ts'

export interface BuiltApi {
  readonly services: readonly Service[]
  readonly http: HttpServer
  /** What it serves on the metrics port, by path. */
  readonly pages: ReadonlyMap<string, Page>
  ready(): Promise<Readiness>
}

/** Puts an api together; nothing connects before it is started. */
export function buildApi(config: Config, types: TaskTypes, log: Log): BuiltApi {
  const foundation = buildFoundation(config, types, log)
  const { db } = foundation
  const door = buildAdmission(foundation)
  const travel = buildRelay(foundation)
  const status = buildStatus(foundation, door.admission)
  const handedOver = { fastPath: travel.relay, admission: door.admission, reader: status.reader }
  const gateway = buildGateway(foundation, handedOver)
  const scaling = buildScaling(foundation)
  const http = buildHttp(foundation, [...gateway.routes, ...status.routes])
  const { maxReplicas, dbPool } = config
  const { schemas } = types
  const checkup = createCheckup({ db, schemas, maxReplicas, connectionsOf: connectionsOf(dbPool) }, log)
  firstFiguresOfApi(config, types.contracts.keys())
  return {
    http,
    services: [
      ...foundation.services,
      ...gateway.services,
      ...door.services,
      ...travel.services,
      ...buildMaintenance(foundation),
      ...scaling.services,
      ...status.services,
      checkup,
      http,
    ],
    pages: scaling.pages,
    ready: async () => ({ ...(await readinessOf(db, schemas)), findings: checkup.findings }),
  }
}

/** How long a stopping server goes on answering, telling clients to connect elsewhere. */
const LINGER_MS = 1_000

function buildHttp({ config, types, db, log }: Foundation, routes: readonly Route[]): HttpServer {
  refuseShadows(
    types,
    routes.map(({ path }) => path),
  )
  return createHttpServer({
    config,
    log,
    findCaller: (key) => findCaller(db, key),
    routes: withDocs(routes, types.contracts, { version: VERSION, isAuthOn: config.auth === 'on' }),
    lingerMs: LINGER_MS,
  })
}
