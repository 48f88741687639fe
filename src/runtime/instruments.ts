/**
 * What metrics are made of, and how they are written for whoever asks: as OpenMetrics text, which alone can carry
 * exemplars, or as the classic text. Only prom-client's OpenMetrics is used: its two formats cannot share a registry.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type OpenMetricsContentType, Registry } from 'prom-client'

/** Where every metric is; `exposition` writes it. */
export const registry = new Registry<OpenMetricsContentType>()
registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
collectDefaultMetrics({ register: registry })
// Gauges that are named like counters, which `promtool check metrics` objects to.
for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)

const registers = [registry]

export function counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []) {
  return new Counter<Label>({ name: `nightshift_${name}`, help, labelNames, registers })
}

/** Makes a gauge without a value: a process that never sets it must not claim that it is 0. */
export function gauge<Label extends string = never>(name: string, help: string, labelNames: Label[] = []) {
  const made = new Gauge<Label>({ name: `nightshift_${name}`, help, labelNames, registers })
  if (labelNames.length === 0) made.remove()
  return made
}

/** A histogram whose buckets remember a trace. */
export interface Timing<Label extends string> {
  /** Counts a value. Its bucket shows the trace of `traceparent` as its exemplar, if that trace is sampled. */
  observe(labels: Readonly<Record<Label, string>>, value: number, traceparent?: string): void
  /** Starts a clock; the function returned counts the seconds since. */
  startTimer(labels: Readonly<Record<Label, string>>, traceparent?: string): () => void
}

export function histogram<Label extends string = never>(
  name: string,
  help: string,
  buckets: number[],
  labelNames: Label[] = [],
): Timing<Label> {
  const options = { name: `nightshift_${name}`, help, buckets, labelNames: labelNames as string[], registers }
  const made = new Histogram<string>({ ...options, enableExemplars: true })
  const observe: Timing<Label>['observe'] = (labels, value, traceparent) =>
    made.observe({ labels, value, exemplarLabels: exemplarOf(traceparent) })
  return {
    observe,
    startTimer(labels, traceparent) {
      const startedAt = performance.now()
      return () => observe(labels, (performance.now() - startedAt) / 1_000, traceparent)
    },
  }
}

/** Reads the flag `sampled` (https://www.w3.org/TR/trace-context/#sampled-flag): the other traces nobody keeps. */
function exemplarOf(traceparent: string | undefined): { trace_id?: string } {
  if (traceparent === undefined || (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 0) return {}
  return { trace_id: traceparent.slice(3, 35) }
}

const looks = new Set<() => void>()

/** Has `look` set its gauges each time the metrics are asked for, until the function returned is called. */
export function whenAsked(look: () => void): () => void {
  looks.add(look)
  return () => void looks.delete(look)
}

export interface Exposition {
  readonly type: string
  readonly body: string
}

/** Writes all metrics in the format that the header `Accept` asks for; the classic text when it says nothing. */
export async function exposition(accept: string | undefined): Promise<Exposition> {
  for (const look of looks) look()
  const body = await registry.metrics()
  if (accept?.includes('application/openmetrics-text')) return { type: registry.contentType, body }
  return { type: Registry.PROMETHEUS_CONTENT_TYPE, body: classicOf(body) }
}

/** In the classic text a counter's name has its suffix everywhere, and there are neither exemplars nor an end mark. */
function classicOf(openMetrics: string): string {
  const counters = new Set([...openMetrics.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name))
  const lines = openMetrics.split('\n').flatMap((line) => {
    if (line === '# EOF') return []
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind !== undefined && counters.has(name)) return [`# ${kind} ${name}_total ${rest}`]
    return [line.replace(/ # \{trace_id="[0-9a-f]*"\} \S+ \S+$/, '')]
  })
  return lines.join('\n')
}
