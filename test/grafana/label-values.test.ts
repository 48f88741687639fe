// Alerts and dashboards select only values of labels that processes show from their start: a misspelt reason matches
// nothing, for ever, and one that first appears with the first trouble is no increase.
import { expect, test } from 'vitest'
import { firstFiguresOfApi, firstFiguresOfConsumer } from '../../src/roles/first-figures.ts'
import { readConfig } from '../../src/runtime/config.ts'
import { registry } from '../../src/runtime/instruments.ts'
import { alertQueries, matchersIn, prometheusQueries } from './expressions.ts'

/** The labels whose values are words of the code. Those of the others are names of queues, tasks, clients. */
const CLOSED = ['reason', 'cause', 'result', 'outcome']

/** Every `metric{label="value"}` of these labels that an api and a consumer have when they start. */
async function shownFromTheStart(): Promise<ReadonlySet<string>> {
  const config = readConfig({ DATABASE_URL: 'postgres://h/d', AMQP_URL: 'amqp://h' })
  firstFiguresOfApi(config, ['a.task'])
  firstFiguresOfConsumer(new Map([['a', 1]]), ['a.task'], [])
  const shown = (await registry.getMetricsAsJSON()).flatMap(({ name, values }) =>
    values.flatMap(({ labels }) =>
      Object.entries(labels).map(([label, value]) => `${name.replace(/_total$/, '')}_total{${label}="${value}"}`),
    ),
  )
  return new Set(shown)
}

const selectedBy = (expr: string): string[] =>
  matchersIn(expr)
    .filter(({ metric, label }) => metric.startsWith('nightshift_') && CLOSED.includes(label))
    .flatMap(({ metric, label, values }) => values.map((value) => `${metric}{${label}="${value}"}`))

test('what alerts and dashboards select is what processes show', async () => {
  const shown = await shownFromTheStart()
  const queries = [...alertQueries(), ...prometheusQueries()]

  const selected = queries.flatMap(({ where, expr }) => selectedBy(expr).map((series) => ({ where, series })))
  expect(new Set(selected.map(({ series }) => /{(\w+)/.exec(series)?.[1]))).toEqual(new Set(CLOSED))
  expect(selected.filter(({ series }) => !shown.has(series))).toEqual([])
})

test('each alternative counts, and a misspelt one would be found', async () => {
  const expr = 'sum(rate(nightshift_tasks_rejected_total{namespace="x", reason=~"unavailable|intern"}[5m])) > 0'
  const shown = await shownFromTheStart()

  expect(selectedBy(expr).map((series) => [series, shown.has(series)])).toEqual([
    ['nightshift_tasks_rejected_total{reason="unavailable"}', true],
    ['nightshift_tasks_rejected_total{reason="intern"}', false],
  ])
})
