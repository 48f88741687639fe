// A real Prometheus scrapes the running processes and their broker: no panel is empty, every rule is evaluated, traces
// are found from a histogram, and hostile names make no new series. KEDA and kube-state-metrics are a sample page.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'amqplib'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Prometheus, promtool, type Series, startPrometheus } from '../../scripts/servers/prometheus.ts'
import { workQueue } from '../../src/broker/topology.ts'
import { aConversation } from '../support/conversations.ts'
import { sqlUrl } from '../support/database.ts'
import { type ApiProcess, aNightshift, call, finished, type Nightshift, submit } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'
import { committedDashboards, namesIn, prometheusQueries, ROOT, RULES, substituted } from './expressions.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SAMPLED = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, 'x-request-id': 'seen-1' }
const NAMESPACE = 'night'

let nightshift: Nightshift
let api: ApiProcess
let consumer: RunningProcess & { metricsUrl: string }
let kubernetes: Server
let prometheus: Prometheus

beforeAll(async () => {
  nightshift = await aNightshift({
    // A long lease, so that none is lost on a busy machine.
    env: {
      NIGHTSHIFT_LEASE_SECONDS: '20',
      NIGHTSHIFT_QUEUES: 'conversations:5,trial:3',
      NIGHTSHIFT_RETRY_LADDER: '1s',
    },
  })
  api = await nightshift.startApi()
  const started = await nightshift.startConsumer()
  const { metricsPort } = await started.ready
  consumer = Object.assign(started, { metricsUrl: `http://127.0.0.1:${metricsPort}/metrics` })
  kubernetes = await serveSample()
  const rabbitmq = shared().rabbitmqPrometheusUrl
  const labels = { namespace: NAMESPACE }
  prometheus = await startPrometheus({
    folder: join(shared().runFolder, 'prometheus'),
    rules: [RULES],
    jobs: [
      { name: 'api', url: api.metricsUrl, labels },
      { name: 'consumer', url: consumer.metricsUrl, labels },
      { name: 'rabbitmq', url: `${rabbitmq}/metrics` },
      { name: 'rabbitmq-queues', url: `${rabbitmq}/metrics/detailed?family=queue_coarse_metrics` },
      { name: 'kubernetes', url: `http://127.0.0.1:${(kubernetes.address() as AddressInfo).port}/metrics` },
    ],
  })
  await until('every target to be scraped', scraped)
  await work()
})
afterAll(async () => {
  kubernetes?.close()
  await prometheus?.remove()
  await nightshift?.remove()
})

/** Tells whether every target was scraped; throws what Prometheus says against one. */
async function scraped(): Promise<boolean> {
  const { activeTargets } = await prometheus.api<{ activeTargets: { health: string; lastError: string }[] }>('targets')
  const errors = activeTargets.flatMap(({ lastError }) => lastError || [])
  if (errors.length > 0) throw new Error(errors.join('; '))
  return activeTargets.length === 5 && activeTargets.every(({ health }) => health === 'up')
}

/** The sample page; the number of replicas changes with every scrape, so that there is something to mark. */
async function serveSample(): Promise<Server> {
  const sample = readFileSync(new URL('kubernetes.prom', import.meta.url), 'utf8')
  let scrapes = 0
  const server = createServer((_, response) => {
    scrapes += 1
    response.setHeader('content-type', 'text/plain')
    response.end(sample.replace(/(desired_replicas\{.*\}) \d+/, `$1 ${1 + (scrapes % 2)}`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Something of everything: success, retry, dead letter, refusal, and more long tasks than there are slots. */
async function work(): Promise<void> {
  await submit(api, { name: 'trial.echo', payload: {} }, SAMPLED)
  await submit(api, { name: 'trial.fail', payload: { times: 1 } }, SAMPLED)
  const dead = await submit(api, { name: 'trial.fail', payload: { times: 9, retryable: false } })
  await submit(api, { name: 'conversation.ended', payload: aConversation(1) })
  await finished(api, dead)
  expect((await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo' })).status).toBe(422)
  for (let n = 0; n < 9; n++) await submit(api, { name: 'trial.sleep', payload: { ms: 2_000 } })
}

const ask = (expr: string): Promise<Series[]> => prometheus.query(substituted(expr))

/** Leaves out what has no value: 0 / 0. */
const values = (found: readonly Series[]): string[] =>
  found.map(({ value }) => value?.[1] ?? 'NaN').filter((value) => value !== 'NaN')

test('no panel is empty under load', async () => {
  const queries = prometheusQueries()
  const empty = new Map(queries.map(({ where, expr }) => [where, expr]))
  let sent = 0
  await until(
    'every panel to have a value',
    async () => {
      // Rates need something to happen between scrapes.
      await submit(api, { name: 'trial.echo', payload: { n: sent++ } }, SAMPLED)
      await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo' })
      for (const [where, expr] of empty) if (values(await ask(expr)).length > 0) empty.delete(where)
      if (empty.size > 0) throw new Error(`empty: ${[...empty.keys()].join('; ')}`)
      return true
    },
    { withinMs: 60_000, everyMs: 500 },
  )
  expect(queries.length).toBeGreaterThan(50)
})

test('every metric that a panel or an alert names is there', async () => {
  const there = new Set(await prometheus.api<string[]>('label/__name__/values'))
  const { groups } = await prometheus.api<{ groups: { rules: { name: string; query: string; health: string }[] }[] }>(
    'rules',
  )
  const rules = groups.flatMap((group) => group.rules)
  const named = [...prometheusQueries().map(({ expr }) => expr), ...rules.map(({ query }) => query)].flatMap((expr) => [
    ...namesIn(substituted(expr)).metrics,
  ])

  expect(rules.length).toBeGreaterThan(20)
  expect([...new Set(named)].filter((name) => !there.has(name))).toEqual([])
})

test('every alert is evaluated; a dead letter is one at once, and nobody is woken by a working system', async () => {
  const readRules = async (): Promise<RuleState[]> => {
    const { groups } = await prometheus.api<{ groups: { rules: RuleState[] }[] }>('rules')
    return groups.flatMap((group) => group.rules)
  }
  // It fires only because its counter was there at 0 before the first dead letter.
  const rules = await until('the alert on dead letters to fire', async () => {
    const all = await readRules()
    return all.some(({ name, state }) => name === 'NightshiftDeadLetters' && state === 'firing') && all
  })
  // Half of the attempts of trial.fail fail, as they are told to.
  const quiet = rules.filter(({ name, labels }) => labels.severity === 'page' && name !== 'NightshiftErrorRateHigh')

  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
  expect(quiet.filter(({ state }) => state !== 'inactive')).toEqual([])
})

interface RuleState {
  readonly name: string
  readonly health: string
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
}

test.each([
  'nightshift_accept_seconds',
  'nightshift_queue_wait_seconds',
  'nightshift_attempt_seconds',
  'nightshift_confirm_seconds',
])('from %s one gets to the trace of a request', async (histogram) => {
  interface Found {
    readonly exemplars: readonly { readonly labels: { readonly trace_id: string } }[]
  }
  const end = String(Date.now() / 1_000)
  const query = { query: `${histogram}_bucket`, start: String(Number(end) - 600), end }
  const found = await until(`an exemplar of ${histogram}`, async () => {
    const series = await prometheus.api<Found[]>('query_exemplars', query)
    return series.length > 0 && series
  })

  expect(new Set(found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id)))).toEqual(
    new Set([TRACE_ID]),
  )
})

test('the tables from PostgreSQL answer to the role that the documentation describes', async () => {
  const queries = committedDashboards().flatMap(({ panels }) =>
    panels.flatMap(({ title, targets = [] }) => targets.flatMap(({ rawSql }) => (rawSql ? [{ title, rawSql }] : []))),
  )
  const grafana = await aGrafanaRole()
  try {
    expect(queries.map(({ title }) => title).sort()).toEqual(['Bursts', 'Tasks', 'Timeline'])
    for (const { title, rawSql } of queries) {
      const sql = rawSql
        .replaceAll(/\$\{request_id:sqlstring\}/g, "'seen-1'")
        .replaceAll('$__timeFilter(at)', "at > clock_timestamp() - interval '1 hour'")
      await until(`rows in ${title}`, async () => (await grafana.client.query(sql)).rows.length > 0)
    }
  } finally {
    await grafana.drop()
  }
})

/** Makes the role with the statements of docs/observing.md, under a name of its own: roles belong to the whole server. */
async function aGrafanaRole(): Promise<{ client: pg.Client; drop(): Promise<void> }> {
  const page = readFileSync(join(ROOT, 'docs/observing.md'), 'utf8')
  const statements = /```sql\n(create role grafana [\s\S]*?)```/.exec(page)?.[1] as string
  const role = `grafana_${randomBytes(4).toString('hex')}`
  await nightshift.sql(statements.replaceAll(/\bgrafana\b/g, role))
  const url = new URL(nightshift.databaseUrl)
  url.username = role
  const client = new pg.Client({ connectionString: sqlUrl(url.href) })
  await client.connect()
  const drop = async (): Promise<void> => {
    await client.end()
    await nightshift.sql(`drop owned by ${role}`)
    await nightshift.sql(`drop role ${role}`)
  }
  return { client, drop }
}

test.each([
  ['api', () => api.metricsUrl],
  ['consumer', () => consumer.metricsUrl],
])('promtool finds nothing to mend in the metrics of the %s', async (_, url) => {
  const text = await (await fetch(url())).text()

  expect(text).toContain('nightshift_build_info{')
  expect(await promtool(['check', 'metrics'], text)).toBe('')
})

test('a thousand hostile names make no new series', async () => {
  const seriesOf = async (url: string): Promise<number> =>
    (await (await fetch(url)).text()).split('\n').filter((line) => line.startsWith('nightshift_')).length
  const hostile = (n: number): Promise<unknown> =>
    call(
      api,
      'POST',
      '/api/v1/tasks',
      { name: n % 2 ? `evil.${n}` : 'trial.echo', payload: {}, ...(n % 4 === 2 ? { queue: `evil-${n}` } : {}) },
      { 'x-client-id': `evil-${n}`, 'x-request-id': `evil-${n}` },
    )
  // Each kind once, so that the series of its reason exists.
  for (let n = 0; n < 4; n++) await hostile(n)
  await nightshift.untilAllFinished()
  const before = [await seriesOf(api.metricsUrl), await seriesOf(consumer.metricsUrl)]

  for (let n = 0; n < 1_000; n += 20) await Promise.all(Array.from({ length: 20 }, (_, more) => hostile(n + more)))
  await publishHostile(200)
  const deadLetters = `nightshift_deliveries_nacked_total{queue="trial"} 200`
  await until('the hostile messages to be refused', async () =>
    (await (await fetch(consumer.metricsUrl)).text()).includes(deadLetters),
  )

  expect([await seriesOf(api.metricsUrl), await seriesOf(consumer.metricsUrl)]).toEqual(before)
})

/** Messages of types that nobody knows, past the api, with bodies that are no wake-ups. */
async function publishHostile(count: number): Promise<void> {
  const connection = await connect(nightshift.amqpUrl)
  try {
    const channel = await connection.createConfirmChannel()
    for (let n = 0; n < count; n++) {
      channel.sendToQueue(workQueue('trial'), Buffer.from(`{"evil":${n}}`), {
        type: `evil.${n}`,
        headers: { 'x-client': `evil-${n}` },
      })
    }
    await channel.waitForConfirms()
  } finally {
    await connection.close()
  }
}
