/**
 * What has a life. `start` resolves when it takes work; `stop` takes no new work, finishes or hands back what it holds,
 * and resolves. Stopping twice, or what was never started, is fine. Services start in order and stop in reverse order,
 * all under one deadline.
 */
import type { Log } from './log.ts'

export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts services in order. If one fails, those already started are stopped, and its error is thrown. */
export async function startAll(services: readonly Service[], log: Log): Promise<void> {
  for (const [index, service] of services.entries()) {
    try {
      await service.start()
      log.debug({ service: service.name }, 'service started')
    } catch (error) {
      await stopAll(services.slice(0, index), log)
      throw error
    }
  }
}

/** Stops services in reverse order. A stop that fails is logged and does not keep the others from stopping. */
export async function stopAll(services: readonly Service[], log: Log): Promise<void> {
  for (const service of services.toReversed()) {
    try {
      await service.stop()
      log.debug({ service: service.name }, 'service stopped')
    } catch (error) {
      log.error({ service: service.name, error }, 'service did not stop cleanly')
    }
  }
}

/**
 * Starts services and waits for SIGTERM or SIGINT, then stops them.
 * The process ends with 0 after a clean stop, or with 1 when stopping takes longer than `deadlineMs`.
 */
export async function runUntilSignal(services: readonly Service[], log: Log, deadlineMs: number): Promise<void> {
  const stopRequested = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal))
  })
  const begun = startAll(services, log)
  const early = await Promise.race([begun, stopRequested])
  const signal = early ?? (await stopRequested)
  log.info({ signal }, 'stopping')
  setTimeout(() => {
    log.error({ deadline_ms: deadlineMs }, 'stopping took too long')
    process.exit(1)
  }, deadlineMs).unref()
  await begun.catch(() => undefined)
  await stopAll(services, log)
  log.info({}, 'stopped')
}
