/**
 * Starts OpenTelemetry, configured by its standard OTEL_… variables; loaded only when an endpoint is set. Spans leave in
 * the background: a collector that is away or slow costs spans and nothing else.
 */
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { register } from 'import-in-the-middle/register-hooks.mjs'
import { VERSION } from '../build-info.ts'
import type { Log } from '../log.ts'
import { settledWithin } from '../wait.ts'
import type { Tracing } from './contract.ts'
import { createIds } from './ids.ts'
import { instrumentationsOf, modulesOf } from './instrumentations.ts'
import { createEntry, createSampler, samplerOf } from './sampler.ts'
import { createSpans } from './spans.ts'

const LONGEST_STOP_MS = 2_000
/** A collector that stays away is told of once a minute, not with every batch of spans. */
const TROUBLE_EVERY_MS = 60_000
/** As many as a batch may have tasks; OpenTelemetry's own limit of 128 would cut them off in silence. */
const LINKS = 512

/** Starts it. @throws Error when a variable does not fit, or this Node cannot do it */
export async function startSdk(role: string, log: Log): Promise<Tracing> {
  const ids = createIds()
  const isRecorded = createEntry(samplerOf(process.env), ids.generateTraceId)
  const instrumentations = await instrumentationsOf(process.env, isRecorded, log)
  // Modules that are imported, not required, are instrumented only through these hooks; without them node:http gives no
  // spans at all, silently. Other modules stay as they are.
  register({ include: modulesOf(instrumentations) })
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': `nightshift-${role}`, 'service.version': VERSION }),
    ),
    instrumentations,
    sampler: createSampler(),
    idGenerator: ids,
    spanLimits: process.env.OTEL_SPAN_LINK_COUNT_LIMIT ? {} : { linkCountLimit: LINKS },
    // Metrics are Prometheus's here, and logs go to standard output.
    metricReaders: [],
    logRecordProcessors: [],
  })
  if (!process.env.OTEL_LOG_LEVEL) diag.setLogger(diagLogger(log), { logLevel: DiagLogLevel.WARN })
  sdk.start()
  log.info({}, 'tracing is on')
  return {
    ...createSpans(ids),
    async stop() {
      await settledWithin(LONGEST_STOP_MS, sdk.shutdown())
    },
  }
}

/** Says that tracing has trouble. Of what the library says only the message: the rest may hold what it sent. */
function diagLogger(log: Log): DiagLogger {
  let saidAt = Number.NEGATIVE_INFINITY
  const say = (message: string): void => {
    if (performance.now() - saidAt < TROUBLE_EVERY_MS) return
    saidAt = performance.now()
    log.warn({ detail: textOf(message).slice(0, 200) }, 'traces are not delivered')
  }
  const ignore = (): void => undefined
  return { error: say, warn: say, info: ignore, debug: ignore, verbose: ignore }
}

/** An error arrives here as JSON with its fields, anything else as a sentence. */
function textOf(told: string): string {
  try {
    return String((JSON.parse(told) as { message?: unknown }).message)
  } catch {
    return String(told).split('\n')[0] as string
  }
}
