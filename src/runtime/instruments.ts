/**
 * What metrics are made of, and how they are written for whoever asks: as OpenMetrics text, which alone can carry
 * exemplars, or as the classic text. Only prom-client's OpenMetrics is used: its two formats cannot share a registry.
 */
import { collectDefaultMetrics, Gauge, type Metric, type OpenMetricsContentType, Registry } from 'prom-client'
import { Count, Timing } from './counting.ts'

/** Where every metric is; `exposition` writes it. */
export const registry = new Registry<OpenMetricsContentType>()
registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
collectDefaultMetrics({ register: registry })
// Gauges that are named like counters, which `promtool check metrics` objects to.
for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)

const registers = [registry]

export function counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []) {
  return registered(new Count<Label>(`nightshift_${name}`, help, labelNames))
}

/** Makes a gauge without a value: a process that never sets it must not claim that it is 0. */
export function gauge<Label extends string = never>(name: string, help: string, labelNames: Label[] = []) {
  const made = new Gauge<Label>({ name: `nightshift_${name}`, help, labelNames, registers })
  if (labelNames.length === 0) made.remove()
  return made
}

export function histogram<Label extends string = never>(
  name: string,
  help: string,
  buckets: number[],
  labelNames: Label[] = [],
) {
  return registered(new Timing<Label>(`nightshift_${name}`, help, buckets, labelNames))
}

/** A registry asks of a metric only its name, its type and `get()`. */
function registered<Made extends { readonly name: string }>(made: Made): Made {
  registry.registerMetric(made as unknown as Metric)
  return made
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
