/**
 * Counters and histograms as plain numbers: counting adds to a number, and what Prometheus wants of it is made when it
 * asks. prom-client's own hash and check every label at each count, which a busy process does tens of thousands of times
 * a second.
 */

type Labels<Label extends string> = Readonly<Record<Label, string>>

interface Line {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: Exemplar | undefined
}

interface Exemplar {
  readonly labelSet: { readonly trace_id: string }
  readonly value: number
  /** Seconds since 1970. */
  readonly timestamp: number
}

/** Keeps one value for each combination of labels that was counted. */
class Series<Label extends string, Value> {
  readonly #labelNames: readonly Label[]
  readonly #fresh: () => Value
  readonly #values = new Map<string, { readonly labels: Labels<Label>; readonly value: Value }>()

  constructor(labelNames: readonly Label[], fresh: () => Value) {
    this.#labelNames = labelNames
    this.#fresh = fresh
  }

  of(labels: Labels<Label>): Value {
    const key = this.#keyOf(labels)
    const known = this.#values.get(key)
    if (known) return known.value
    const value = this.#fresh()
    this.#values.set(key, { labels: { ...labels }, value })
    return value
  }

  all() {
    return this.#values.values()
  }

  clear(): void {
    this.#values.clear()
  }

  #keyOf(labels: Labels<Label>): string {
    const names = this.#labelNames
    const first = names[0]
    if (first === undefined) return ''
    let key = labels[first]
    for (let at = 1; at < names.length; at += 1) key += `\u0000${labels[names[at] as Label]}`
    return key
  }
}

/** A number that only grows. */
export class Count<Label extends string> {
  readonly type = 'counter'
  /** Prometheus' registry takes its suffix off in OpenMetrics. */
  name: string
  readonly help: string
  readonly labelNames: readonly Label[]
  readonly #series: Series<Label, { total: number }>

  constructor(name: string, help: string, labelNames: readonly Label[]) {
    this.name = name
    this.help = help
    this.labelNames = labelNames
    this.#series = new Series(labelNames, () => ({ total: 0 }))
    // Without labels it begins at 0: the first step of a counter that appears at 1 is no increase.
    if (labelNames.length === 0) this.#series.of({} as Labels<Label>)
  }

  /** Adds `by`, 0 to make the counter appear. */
  inc(labels: Labels<Label> = {} as Labels<Label>, by = 1): void {
    this.#series.of(labels).total += by
  }

  /** Forgets everything, for tests. */
  reset(): void {
    this.#series.clear()
  }

  /** Gives what a registry of prom-client writes. */
  async get() {
    const values: Line[] = Array.from(this.#series.all(), ({ labels, value }) => ({ labels, value: value.total }))
    return { name: this.name, help: this.help, type: this.type, values }
  }
}

interface Measured {
  /** One for each bound, and one for what is above all of them; not cumulated. */
  readonly buckets: number[]
  readonly exemplars: (Exemplar | undefined)[]
  sum: number
}

/** A histogram whose buckets remember a trace. */
export class Timing<Label extends string> {
  readonly type = 'histogram'
  readonly name: string
  readonly help: string
  readonly labelNames: readonly Label[]
  readonly #bounds: readonly number[]
  readonly #series: Series<Label, Measured>

  /** @param bounds the upper bounds of the buckets, rising */
  constructor(name: string, help: string, bounds: readonly number[], labelNames: readonly Label[]) {
    this.name = name
    this.help = help
    this.labelNames = labelNames
    this.#bounds = bounds
    const fresh = (): Measured => ({
      buckets: new Array<number>(bounds.length + 1).fill(0),
      exemplars: new Array<undefined>(bounds.length + 1).fill(undefined),
      sum: 0,
    })
    this.#series = new Series(labelNames, fresh)
    if (labelNames.length === 0) this.#series.of({} as Labels<Label>)
  }

  /** Counts a value. Its bucket shows the trace of `traceparent` as its exemplar, if that trace is sampled. */
  observe(labels: Labels<Label>, value: number, traceparent?: string): void {
    const measured = this.#series.of(labels)
    const at = this.#bucketOf(value)
    measured.buckets[at] = (measured.buckets[at] as number) + 1
    measured.sum += value
    const traceId = sampledTraceOf(traceparent)
    if (traceId !== undefined) {
      measured.exemplars[at] = { labelSet: { trace_id: traceId }, value, timestamp: Date.now() / 1_000 }
    }
  }

  /** Starts a clock; the function returned counts the seconds since. */
  startTimer(labels: Labels<Label>, traceparent?: string): () => void {
    const startedAt = performance.now()
    return () => this.observe(labels, (performance.now() - startedAt) / 1_000, traceparent)
  }

  /** Forgets everything, for tests. */
  reset(): void {
    this.#series.clear()
  }

  /** Gives what a registry of prom-client writes. */
  async get() {
    const values = Array.from(this.#series.all(), ({ labels, value }) => this.#linesOf(labels, value)).flat()
    return { name: this.name, help: this.help, type: this.type, values }
  }

  #bucketOf(value: number): number {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] as number)) at += 1
    return at
  }

  #linesOf(labels: Labels<Label>, { buckets, exemplars, sum }: Measured): Line[] {
    let count = 0
    const lines: Line[] = buckets.map((inBucket, at) => {
      count += inBucket
      const le = this.#bounds[at] ?? '+Inf'
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count, exemplar: exemplars[at] }
    })
    lines.push({ metricName: `${this.name}_sum`, labels, value: sum })
    lines.push({ metricName: `${this.name}_count`, labels, value: count })
    return lines
  }
}

/** Reads the flag `sampled` (https://www.w3.org/TR/trace-context/#sampled-flag): the other traces nobody keeps. */
function sampledTraceOf(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined || (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 0) return undefined
  return traceparent.slice(3, 35)
}
