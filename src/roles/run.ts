/** Runs a role: puts its services together, starts them, and says that it is ready. */
import type { Config } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import { createMetricsServer, type Readiness } from '../runtime/metrics-server.ts'
import { runUntilSignal, type Service } from '../runtime/service.ts'
import { loadPacks } from '../types/packs.ts'
import { showBuild } from './first-figures.ts'

export const ROLES = ['api', 'consumer', 'all'] as const
export type Role = (typeof ROLES)[number]

/** What stopping may take beyond the grace period that the running tasks are given. */
const STOP_MARGIN_SECONDS = 15

/** Runs until SIGTERM or SIGINT. */
export async function runRole(role: Role, config: Config, log: Log): Promise<number> {
  showBuild(role)
  const types = await loadPacks(config.packs)
  if (types.packs.length === 0)
    log.warn({}, 'no pack is loaded, so no task type is known: NIGHTSHIFT_PACKS names packs')
  // Loaded by role, so that an api never loads a handler.
  const api = role === 'consumer' ? undefined : (await import('./api/api.ts')).buildApi(config, types, log)
  const consumer = role === 'api' ? undefined : await (await import('./consumer.ts')).buildConsumer(config, types, log)
  const ready = async (): Promise<Readiness> => {
    const parts = (await Promise.all([api?.ready(), consumer?.ready()])).filter((part) => part !== undefined)
    return {
      ready: parts.every((part) => part.ready),
      checks: Object.assign({}, ...parts.map(({ checks }) => checks)),
      findings: parts.flatMap(({ findings = [] }) => findings),
    }
  }
  const metricsServer = createMetricsServer({
    host: config.httpHost,
    port: config.metricsPort,
    ready,
    pages: api?.pages,
    log,
  })
  const announce: Service = {
    name: 'announcement',
    start: async () => {
      log.info({ metricsPort: metricsServer.port, ...(api ? { httpPort: api.http.port } : {}) }, `${role} ready`)
    },
    stop: async () => undefined,
  }
  const services = [metricsServer, ...(consumer?.services ?? []), ...(api?.services ?? []), announce]
  const deadlineSeconds = STOP_MARGIN_SECONDS + (consumer ? config.drainGraceSeconds : 0)
  await runUntilSignal(services, log, deadlineSeconds * 1_000)
  return 0
}
