/**
 * Traces, as the stations make them. Unless an OTLP endpoint is set nothing of OpenTelemetry is loaded, and each method
 * only hands on what it is given.
 */
import type { Log } from './log.ts'
import type { Tracing } from './tracing/contract.ts'
import { OFF } from './tracing/off.ts'

/** The one object for all, so that nobody asks whether there is tracing: `startTracing` exchanges its methods. */
export const tracing: Tracing = { ...OFF }

/**
 * Starts tracing when the environment names where to. It must come before anything loads node:http, express or pg, or
 * their spans are missing. Tracing that cannot start is logged and left off: it is never why a process does not run.
 */
export async function startTracing(role: string, log: Log): Promise<void> {
  if (!isWanted(process.env)) return
  try {
    const { startSdk } = await import('./tracing/sdk.ts')
    Object.assign(tracing, await startSdk(role, log))
  } catch (error) {
    log.error({ error }, 'tracing could not be started, it is left off')
  }
}

/** Sends what is not sent yet, for at most two seconds, and ends tracing. */
export async function stopTracing(): Promise<void> {
  const { stop } = tracing
  Object.assign(tracing, OFF)
  await stop()
}

function isWanted(environment: NodeJS.ProcessEnv): boolean {
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT
  const isOff = environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || environment.OTEL_TRACES_EXPORTER === 'none'
  return Boolean(endpoint) && !isOff
}
