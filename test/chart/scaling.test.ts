// Promise: prefetch, queue names, the scaler's target and the grace period come from one figure each, and a figure that
// nobody tells never reads as 0.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { go } from '../../scripts/go.ts'
import { topologyOf, workQueue } from '../../src/broker/topology.ts'
import { PACKS } from '../support/packs.ts'
import { CASES, merged } from './cases.ts'
import { type Container, envOf, type Manifest, one, podSpecs, render, SERVERS } from './chart.ts'

/** What a role allows itself beyond the drain; see src/roles/run.ts. */
const STOP_MARGIN_SECONDS = 15

interface Pool {
  readonly deployment: Manifest
  readonly container: Container
  readonly slots: ReadonlyMap<string, number>
  readonly scaler: Manifest | undefined
}

function slotsOf(container: Container): Map<string, number> {
  const pairs = (envOf(container, 'NIGHTSHIFT_QUEUES') as string).split(',').map((pair) => pair.split(':'))
  return new Map(pairs.map(([queue, slots]) => [queue as string, Number(slots)]))
}

function poolsOf(manifests: readonly Manifest[]): Pool[] {
  const consumers = podSpecs(manifests).filter(({ containers }) => containers[0]?.args?.[0] === 'consumer')
  return consumers.map(({ from, containers: [container] }) => ({
    deployment: from,
    container: container as Container,
    slots: slotsOf(container as Container),
    scaler: manifests.find(
      ({ kind, spec }) => kind === 'ScaledObject' && spec.scaleTargetRef.name === from.metadata.name,
    ),
  }))
}

const [whole] = CASES.filter(({ name }) => name === 'everything').map((options) => render(options))
const samples = [
  ...CASES.filter(({ file }) => file).map((options) => ({ name: options.name, manifests: render(options) })),
  { name: 'everything', manifests: whole as Manifest[] },
]

test.each(samples)('$name: the api knows the queues of all pools', ({ manifests }) => {
  const api = podSpecs(manifests).flatMap(({ containers }) => containers.filter(({ args }) => args?.[0] === 'api'))
  const all = new Map(poolsOf(manifests).flatMap(({ slots }) => [...slots]))

  expect(api).toHaveLength(1)
  expect(slotsOf(api[0] as Container)).toEqual(all)
})

test.each(samples)('$name: the grace period outlasts the drain, and the drain the longest task', ({ manifests }) => {
  const contracts = [...PACKS.contracts.values()]
  for (const { deployment, container, slots } of poolsOf(manifests)) {
    const drain = Number(envOf(container, 'NIGHTSHIFT_DRAIN_GRACE_SECONDS'))
    const mine = contracts.filter(({ queue }) => slots.has(queue))
    const longest = Math.max(0, ...mine.map(({ deadlineMs }) => deadlineMs / 1_000))

    expect(drain).toBeGreaterThan(longest)
    expect(drain).toBeLessThanOrEqual(3_600)
    expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(drain + STOP_MARGIN_SECONDS)
  }
})

const SOURCES = ['rabbitmq', 'api', 'both'] as const
const scaled = SOURCES.flatMap((source) =>
  [['mail'], ['mail', 'search']].map((queues) => {
    const values = merged(SERVERS, {
      consumers: {
        default: {
          queues: queues.map((name, index) => ({ name, concurrency: 3 + index })),
          autoscaling: { source, tasksPerSlot: 2, maxReplicas: 3 },
        },
      },
    })
    return { name: `${source}, ${queues.length} queues`, source, queues, manifests: render({ values }) }
  }),
)

test.each(scaled)('$name: target, prefetch and queue names agree', ({ source, queues, manifests }) => {
  const [{ slots, scaler } = {} as Pool] = poolsOf(manifests)
  const target = 2 * [...slots.values()].reduce((sum, each) => sum + each, 0)
  const { triggers, advanced, fallback } = scaler?.spec ?? {}
  const depths = triggers.filter(({ type }: { type: string }) => type === 'rabbitmq')
  const backlogs = triggers.filter(({ type }: { type: string }) => type === 'metrics-api')
  const declared = topologyOf(slots.keys(), []).queues.map(({ name }) => name)

  expect([...slots.keys()]).toEqual(queues)
  expect(depths.map(({ metadata }: { metadata: { queueName: string } }) => metadata.queueName)).toEqual(
    source === 'api' ? [] : queues.map(workQueue),
  )
  for (const { metadata } of depths) {
    expect(metadata).toMatchObject({ value: String(target), protocol: 'http', excludeUnacknowledged: 'false' })
    expect(declared).toContain(metadata.queueName)
  }
  expect(backlogs).toHaveLength(source === 'rabbitmq' ? 0 : 1)
  for (const { metadata } of backlogs) {
    const service = one(manifests, 'Service', '-api-metrics')
    const url = new URL(metadata.url)
    expect(metadata).toMatchObject({ targetValue: String(target), valueLocation: 'value' })
    expect(url.searchParams.get('queues')).toBe(queues.join(','))
    expect(url.hostname).toBe(`${service.metadata.name}.tasks.svc`)
    expect(service.spec.ports.map(({ port }: { port: number }) => String(port))).toContain(url.port)
  }
  const formula = advanced.scalingModifiers
  if (formula) expect(formula).toMatchObject({ target: String(target), metricType: 'AverageValue' })
  else expect(triggers).toHaveLength(1)
  expect(fallback.replicas).toBe(2)
  expect(fallback.behavior).toBe(source === 'both' ? 'scalingModifiers' : 'currentReplicasIfHigher')
})

test('the formula takes the api’s word, then RabbitMQ’s, and says that it does not know rather than 0', () => {
  const both = scaled.filter(({ source }) => source === 'both')
  const formulas = both.map(({ manifests }) => one(manifests, 'ScaledObject').spec.advanced.scalingModifiers.formula)

  expect(
    evaluate(formulas[0], [
      { backlog: 7, depth_0: 1 },
      { backlog: 0, depth_0: null },
      { backlog: null, depth_0: 1 },
      { backlog: null, depth_0: null },
    ]),
  ).toEqual([7, 0, 1, null])
  expect(
    evaluate(formulas[1], [
      { backlog: 7, depth_0: 1, depth_1: null },
      { backlog: null, depth_0: 1, depth_1: 2 },
      { backlog: null, depth_0: null, depth_1: 2 },
      { backlog: null, depth_0: 1, depth_1: null },
    ]),
  ).toEqual([7, 3, null, null])
}, 120_000)

/** Evaluates as KEDA does, with its library of expressions. */
function evaluate(formula: string, figures: readonly Record<string, number | null>[]): (number | null)[] {
  const { status, stdout, stderr } = spawnSync(go(), ['run', '.'], {
    cwd: fileURLToPath(new URL('formula', import.meta.url)),
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' },
    input: JSON.stringify({ formula, figures }),
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
