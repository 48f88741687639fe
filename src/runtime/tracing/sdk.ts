/**
 * Starts OpenTelemetry, configured by its standard OTEL_… variables; loaded only when an endpoint is set. Spans leave in
 * the background: a collector that is away or slow costs spans and nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DiagLogger, DiagLogLevel, diag, type Span } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { register } from 'import-in-the-middle/register-hooks.mjs'
import { VERSION } from '../build-info.ts'
import type { Log } from '../log.ts'
import type { Tracing } from './contract.ts'
import { createIds } from './ids.ts'
import { createEntry, createSampler, samplerOf } from './sampler.ts'
import { createSpans } from './spans.ts'

const LONGEST_STOP_MS = 2_000
/** What machines ask all the time: probes, Prometheus, an autoscaler. */
const UNTRACED = /^\/(?:health\/|metrics$|metrics\?|scaling$|scaling\?)/
/** A collector that stays away is told of once a minute, not with every batch of spans. */
const TROUBLE_EVERY_MS = 60_000
/** As many as a batch may have tasks; OpenTelemetry's own limit of 128 would cut them off in silence. */
const LINKS = 512

/** Starts it. @throws Error when a variable does not fit, or this Node cannot do it */
export function startSdk(role: string, log: Log): Tracing {
  // Modules that are imported, not required, are instrumented only through these hooks; without them node:http gives no
  // spans at all, silently. Other modules stay as they are.
  register({ include: ['http', 'https', 'pg'] })
  const ids = createIds()
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': `nightshift-${role}`, 'service.version': VERSION }),
    ),
    instrumentations: instrumentations(createEntry(samplerOf(process.env), ids.generateTraceId)),
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
      const sent = sdk.shutdown().catch(() => undefined)
      await Promise.race([sent, sleep(LONGEST_STOP_MS, undefined, { ref: false })])
    },
  }
}

function instrumentations(isRecorded: (headers: object) => boolean) {
  return [
    new HttpInstrumentation({
      ignoreIncomingRequestHook: ({ url = '', headers }) => UNTRACED.test(url) || !isRecorded(headers),
      requireParentforOutgoingSpans: true,
      headersToSpanAttributes: { server: { requestHeaders: ['x-request-id'] } },
    }),
    // Loops, leases and gauges ask the database all the time and belong to nobody's trace.
    new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
    new UndiciInstrumentation({ requireParentforSpans: true, requestHook: withoutQuery }),
  ]
}

/** The query of a handler's own call may hold a key or somebody's data. */
function withoutQuery(span: Span, { origin, path }: { readonly origin: string; readonly path: string }): void {
  span.setAttributes({ 'url.full': new URL(path.split('?')[0] as string, origin).href, 'url.query': '' })
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
