/**
 * Chooses what makes spans by itself: HTTP and PostgreSQL always, as this program needs them set; whatever else handlers
 * call by OpenTelemetry's variables. The package of all of them is only loaded when one of the others is named.
 */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import type { Span } from '@opentelemetry/api'
import type { getNodeAutoInstrumentations } from '@opentelemetry/auto-instrumentations-node'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import type { Log } from '../log.ts'

type Instrumentation = ReturnType<typeof getNodeAutoInstrumentations>[number]

const ALL = '@opentelemetry/auto-instrumentations-node'
const PREFIX = '@opentelemetry/instrumentation-'
const ENABLED = 'OTEL_NODE_ENABLED_INSTRUMENTATIONS'
const DISABLED = 'OTEL_NODE_DISABLED_INSTRUMENTATIONS'
/** What machines ask all the time: probes, Prometheus, an autoscaler. */
const UNTRACED = /^\/(?:health\/|metrics$|metrics\?|scaling$|scaling\?)/

const OURS: Readonly<Record<string, (isRecorded: IsRecorded) => Instrumentation>> = {
  http: (isRecorded) =>
    new HttpInstrumentation({
      ignoreIncomingRequestHook: ({ url = '', headers }) => UNTRACED.test(url) || !isRecorded(headers),
      requireParentforOutgoingSpans: true,
      headersToSpanAttributes: { server: { requestHeaders: ['x-request-id'] } },
    }),
  // Loops, leases and gauges ask the database all the time and belong to nobody's trace.
  pg: () => new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
  undici: () => new UndiciInstrumentation({ requireParentforSpans: true, requestHook: withoutQuery }),
}
/** It would put its own context over the `traceparent` that a message carries, which is the task's. */
const NEVER = 'amqplib'

type IsRecorded = (headers: object) => boolean

/** Makes those that the environment names, and says by name which variable does not fit. */
export async function instrumentationsOf(
  environment: NodeJS.ProcessEnv,
  isRecorded: IsRecorded,
  log: Log,
): Promise<Instrumentation[]> {
  const enabled = namesIn(environment[ENABLED])
  const disabled = namesIn(environment[DISABLED])
  const isOurs = (name: string): boolean => Object.hasOwn(OURS, name)
  const others = enabled.filter((name) => !isOurs(name) && name !== NEVER && !disabled.includes(name))
  if (others.length > 0 || disabled.some((name) => !isOurs(name)))
    warnOfUnknown({ [ENABLED]: enabled, [DISABLED]: disabled }, log)
  if (enabled.includes(NEVER)) {
    log.warn({ variable: ENABLED }, 'amqplib is not instrumented: it would replace the trace that messages carry')
  }
  const ours = Object.entries(OURS).filter(([name]) => !disabled.includes(name))
  return [...ours.map(([, make]) => make(isRecorded)), ...(others.length > 0 ? await madeByAll() : [])]
}

/** Those that ENABLED names and DISABLED does not; never ours a second time. */
async function madeByAll(): Promise<Instrumentation[]> {
  const { getNodeAutoInstrumentations } = await import('@opentelemetry/auto-instrumentations-node')
  const off = [...Object.keys(OURS), NEVER].map((name) => [`${PREFIX}${name}`, { enabled: false }])
  return getNodeAutoInstrumentations(Object.fromEntries(off))
}

/** The modules that must be hooked when they are imported. */
export function modulesOf(instrumentations: readonly Instrumentation[]): string[] {
  return instrumentations.flatMap((each) => (each as Defining).getModuleDefinitions?.().map(({ name }) => name) ?? [])
}

/** Those without modules of their own, such as undici's, listen to what Node tells. */
interface Defining {
  getModuleDefinitions?(): readonly { readonly name: string }[]
}

const namesIn = (text = ''): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

function warnOfUnknown(variables: Readonly<Record<string, readonly string[]>>, log: Log): void {
  const known = knownNames()
  for (const [variable, names] of Object.entries(variables)) {
    const unknown = names.filter((name) => !known.has(name))
    if (unknown.length > 0) log.warn({ variable, unknown }, 'a variable names instrumentations that do not exist')
  }
}

/** The package of all of them does not export their names, but depends on each. */
function knownNames(): ReadonlySet<string> {
  const file = findPackageJSON(ALL, import.meta.url) as string
  const { dependencies } = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> }
  const packages = Object.keys(dependencies).filter((name) => name.startsWith(PREFIX))
  return new Set(packages.map((name) => name.slice(PREFIX.length)))
}

/** The query of a handler's own call may hold a key or somebody's data. */
function withoutQuery(span: Span, { origin, path }: { readonly origin: string; readonly path: string }): void {
  span.setAttributes({ 'url.full': new URL(path.split('?')[0] as string, origin).href, 'url.query': '' })
}
