// The dashboards are what grafana/ writes, they keep the rules that make them usable at night, and every metric and
// label they name exists: Prometheus itself answers a misspelt name with "success, 0 rows".
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { dashboards, textOf } from '../../grafana/main.ts'
import { registry } from '../../src/runtime/instruments.ts'
import '../../src/runtime/metrics.ts'
import { committedDashboards, namesIn, prometheusQueries, substituted } from './expressions.ts'

const committed = committedDashboards()
const panels = committed.flatMap(({ file, panels }) =>
  panels.map((panel) => ({ where: `${file}: ${panel.title}`, ...panel })),
)
const queries = prometheusQueries()

/** Labels that Prometheus gives to what it scrapes, and those that functions make. */
const SCRAPED = ['namespace', 'job', 'instance']
const declared = declaredMetrics()

interface Declared {
  readonly name: string
  readonly type: string
  readonly labelNames: readonly string[]
}

/** Every metric of the product by its exposed name, with its labels; and the samples of what cannot run here. */
function declaredMetrics(): ReadonlyMap<string, readonly string[]> {
  const own = (registry.getMetricsAsArray() as unknown as Declared[]).flatMap(({ name, type, labelNames }) => {
    if (type === 'counter') return [[`${name.replace(/_total$/, '')}_total`, labelNames] as const]
    if (type !== 'histogram') return [[name, labelNames] as const]
    return [
      [`${name}_bucket`, [...labelNames, 'le']] as const,
      [`${name}_sum`, labelNames] as const,
      [`${name}_count`, labelNames] as const,
    ]
  })
  const sample = readFileSync(new URL('kubernetes.prom', import.meta.url), 'utf8')
  const others = [...sample.matchAll(/^(\w+)\{(.*)\}/gm)].map(
    ([, name, labels]) =>
      [name as string, [...(labels as string).matchAll(/(\w+)="/g)].map(([, label]) => label as string)] as const,
  )
  return new Map([...own, ...others])
}

/** Lists what an expression names and nobody has. What RabbitMQ exposes is asked of RabbitMQ, in the live test. */
function unknownNames(expr: string): string[] {
  const { metrics, labels } = namesIn(substituted(expr))
  const checked = [...metrics].filter((name) => !name.startsWith('rabbitmq_'))
  const unknown = checked.filter((name) => !declared.has(name))
  if (checked.length < metrics.size) return unknown
  const known = new Set([...SCRAPED, ...checked.flatMap((name) => declared.get(name) ?? [])])
  return [...unknown, ...[...labels].filter((label) => !known.has(label))]
}

describe('the dashboards', () => {
  test('are what `make dashboards` writes', () => {
    const written = [...dashboards()].map(([file, dashboard]) => ({ file, text: textOf(dashboard) }))

    expect(committed.map(({ file, text }) => ({ file, text })).sort((a, b) => a.file.localeCompare(b.file))).toEqual(
      written.sort((a, b) => a.file.localeCompare(b.file)),
    )
  })

  test('have a uid of their own that links can count on, are not edited by hand, and lead to each other', () => {
    expect(committed.map(({ uid }) => uid).sort()).toEqual([
      'nightshift-find-request',
      'nightshift-overview',
      'nightshift-queues',
    ])
    for (const { file, uid, editable, tags, links } of committed) {
      expect(file).toBe(`${uid}.json`)
      expect(uid.length).toBeLessThanOrEqual(40)
      expect(editable).toBe(false)
      expect(tags).toContain('nightshift')
      expect(links).toEqual([expect.objectContaining({ keepTime: true, includeVars: true })])
    }
  })

  test('name no data source but by a variable of theirs, which reload with the time range', () => {
    for (const { templating, text } of committed) {
      const names = templating.list.filter(({ type }) => type === 'datasource').map(({ name }) => `\${${name}}`)
      const uids = [...text.matchAll(/"uid": "(\$[^"]*)"/g)].map(([, uid]) => uid)
      expect(uids.length).toBeGreaterThan(0)
      expect(uids.filter((uid) => !names.includes(uid as string))).toEqual([])
      for (const { type, refresh } of templating.list) if (type === 'query') expect(refresh).toBe(2)
    }
  })

  test('use no variable that they do not have', () => {
    for (const { templating, text } of committed) {
      const names = new Set(templating.list.map(({ name }) => name))
      const used = [...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name as string)
      expect(used.filter((name) => !names.has(name))).toEqual([])
    }
  })

  test('lie inside the 24 columns and do not overlap', () => {
    for (const { file, panels: own } of committed) {
      const taken = new Set<string>()
      for (const { title, gridPos } of own) {
        expect(gridPos.x + gridPos.w, `${file}: ${title}`).toBeLessThanOrEqual(24)
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x},${y}`), `${file}: ${title} lies on another`).toBe(false)
            taken.add(`${x},${y}`)
          }
        }
      }
    }
  })
})

describe('every panel', () => {
  test.each(panels.map((panel) => [panel.where, panel] as const))('%s says what to do and has a unit', (_, panel) => {
    const needsUnit = !['text', 'logs'].includes(panel.type)

    expect(panel.description.length).toBeGreaterThan(15)
    expect(!needsUnit || panel.fieldConfig?.defaults?.unit).toBeTruthy()
    expect(panel.type === 'text' || (panel.targets?.length ?? 0) > 0).toBe(true)
  })
})

describe('every query', () => {
  test.each(queries.map((query) => [query.where, query] as const))('%s names what exists', (_, { expr, legend }) => {
    const labelsOfLegend = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label as string)

    expect(unknownNames(expr)).toEqual([])
    expect(
      labelsOfLegend.filter((label) => ![...namesIn(substituted(expr)).labels, 'instance'].includes(label)),
    ).toEqual([])
  })

  test.each(queries.map((query) => [query.where, query.expr] as const))('%s rates every counter', (_, expr) => {
    const counters = [...namesIn(substituted(expr)).metrics].filter((name) => /_(?:total|bucket|count|sum)$/.test(name))

    for (const counter of counters)
      expect(expr.replaceAll(/\s/g, '')).toMatch(new RegExp(`(?:rate|increase)\\(${counter}[{[]|groupby`))
    expect(expr).not.toMatch(/rate\([^[]*\[\d/)
  })

  test('would fail with a misspelt metric, a misspelt label, or broken PromQL', () => {
    expect(unknownNames('sum by (queue) (nightshift_queue_redy)')).toContain('nightshift_queue_redy')
    expect(unknownNames('sum by (quue) (nightshift_queue_ready{namespace="x"})')).toEqual(['quue'])
    expect(() => unknownNames('sum by (queue) (nightshift_queue_ready')).toThrow('not PromQL')
  })
})

// Neither Tempo nor Loki runs in the tests. The attribute is what the traces have on every span, the fields are what
// every line of the log has, so the queries are held here letter by letter.
describe('what Tempo and Loki are asked', () => {
  const targetsOf = (title: string) => panels.find((panel) => panel.title === title)?.targets ?? []

  test('Tempo finds every trace with a span of the request', () => {
    expect(targetsOf('Traces')).toEqual([
      expect.objectContaining({
        queryType: 'traceql',
        tableType: 'traces',
        query:
          '{ span.app.request.id = "$request_id" } | select(span.app.task.id, span.app.task.name, span.app.task.attempt, status)',
      }),
    ])
  })

  test('Loki filters lines first, then by the field request_id', () => {
    expect(targetsOf('Lines').map(({ expr }) => expr)).toEqual([
      '{namespace=~"$namespace", app=~"nightshift.*"} |= "$request_id" | json | request_id = "$request_id"',
    ])
  })
})
