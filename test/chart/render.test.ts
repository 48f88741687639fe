// Promise: whatever the values say, what the chart renders is valid for a real cluster, restricted, and fits together.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CASES, LONGEST_RELEASE } from './cases.ts'
import { CHART, HELMS, type Manifest, one, podSpecs, render, runHelm, SERVERS } from './chart.ts'
import { createJudge } from './schemas.ts'
import { laxities } from './security.ts'
import { badNames, danglers, deadlocks, podsOf } from './whole.ts'

const judge = createJudge()
/** Those that the README tells users to make, and those of the cases. */
const EXISTING = new Set(['db', 'mq', '123', 'nightshift-database', 'nightshift-broker'])

/** As the templates spell them, so that none is forgotten. A rule needs a file of alerts to be made of. */
const KINDS = new Set(
  readdirSync(join(CHART, 'templates'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.yaml'))
    .flatMap((path) => [...readFileSync(join(CHART, 'templates', path), 'utf8').matchAll(/^kind: (\w+)$/gm)])
    .map(([, kind]) => kind as string),
)

describe.each(HELMS)('%s', (helm) => {
  const seen = new Set<string>()
  describe.each(CASES)('$name', (options) => {
    let manifests: Manifest[] = []

    test('renders objects that their own schemas accept', () => {
      manifests = render({ ...options, helm })
      for (const { kind } of manifests) seen.add(kind)

      expect(manifests.length).toBeGreaterThan(10)
      expect(manifests.flatMap(judge)).toEqual([])
    })

    test('keeps to the limits of names, and refers to nothing that is not there', () => {
      expect(badNames(manifests)).toEqual([])
      expect(danglers(manifests, EXISTING)).toEqual([])
      expect(deadlocks(manifests)).toEqual([])
    })

    test('runs restricted, and gives a token to nobody but the api', () => {
      expect(laxities(manifests)).toEqual([])
      const tokens = podSpecs(manifests).filter(({ spec }) => spec.automountServiceAccountToken)
      const roles = manifests.filter(({ kind }) => kind === 'Role')
      expect(tokens.map(({ from }) => from.metadata.labels?.['app.kubernetes.io/component'])).toEqual(
        roles.map(() => 'api'),
      )
    })

    test('leaves the number of pods to whoever scales them', () => {
      for (const { spec } of manifests.filter(({ kind }) =>
        ['ScaledObject', 'HorizontalPodAutoscaler'].includes(kind),
      )) {
        const target = manifests.find(
          ({ kind, metadata }) => kind === 'Deployment' && metadata.name === spec.scaleTargetRef.name,
        )
        expect(target?.spec.replicas).toBeUndefined()
      }
      const unscaled = manifests.filter(({ kind, spec }) => kind === 'Deployment' && spec.replicas === undefined)
      const scalers = manifests.filter(({ kind }) => ['ScaledObject', 'HorizontalPodAutoscaler'].includes(kind))
      expect(unscaled.map(({ metadata }) => metadata.name).sort()).toEqual(
        scalers.map(({ spec }) => spec.scaleTargetRef.name).sort(),
      )
    })
  })

  test.each(CASES.filter(({ file, release }) => file || release))('lints $name strictly', (options) => {
    const { status, stdout } = runHelm('lint', { ...options, helm }, '--strict')

    expect(status, stdout).toBe(0)
  })

  test('has judged every kind that the chart can make', () => {
    expect(seen).toEqual(KINDS)
  })
})

describe('the judge', () => {
  const manifests = render({ values: SERVERS })
  const broken = (kind: string, change: (spec: Manifest['spec']) => void): string[] => {
    const manifest = structuredClone(manifests.find((each) => each.kind === kind) as Manifest)
    change(manifest.spec)
    return judge(manifest)
  }

  test('refuses a field that nobody knows, a word that is no choice, and what is missing', () => {
    expect(broken('ScaledObject', (spec) => Object.assign(spec.fallback, { behavior: 'nonsense' }))).toHaveLength(1)
    expect(broken('ScaledObject', (spec) => Object.assign(spec.triggers[0], { typo: 1 }))).toHaveLength(1)
    expect(broken('Deployment', (spec) => Object.assign(spec.template.spec, { typo: 1 }))).toHaveLength(1)
    expect(broken('Deployment', (spec) => delete spec.selector)).toHaveLength(1)
    expect(judge({ ...(manifests[0] as Manifest), kind: 'Nothing' })).toEqual([expect.stringMatching(/^no schema/)])
  })
})

test('two releases whose long names begin alike have no name in common', () => {
  const [names, others] = [LONGEST_RELEASE, `${LONGEST_RELEASE.slice(0, -1)}x`].map((release) =>
    render({ values: SERVERS, release }).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
  )

  expect(names?.filter((name) => others?.includes(name))).toEqual([])
})

test('a NetworkPolicy denies everything to every pod, and opens what each part needs', () => {
  const manifests = render({ file: 'values-dev.yaml' })
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy')
  const all = policies.find(({ spec }) => spec.policyTypes.length === 2 && !spec.ingress)

  expect(podsOf(manifests, all?.spec.podSelector.matchLabels)).toHaveLength(podSpecs(manifests).length)
  const parts = policies.map(({ spec }) => spec.podSelector.matchLabels['app.kubernetes.io/component'])
  const components = podSpecs(manifests).map(({ from }) => from.metadata.labels?.['app.kubernetes.io/component'])
  expect(new Set(parts.filter(Boolean))).toEqual(new Set(components))
})

test('dev makes passwords of its own, different each time', () => {
  const [first, second] = [0, 1].map(() => one(render({ file: 'values-dev.yaml' }), 'Secret').data?.password)

  expect(first?.length).toBeGreaterThan(30)
  expect(second).not.toBe(first)
})

test('dashboards and alerts arrive as they are in the files, templates of their own included', () => {
  const manifests = render({ file: 'values-prod.yaml' })
  const filesOf = (folder: string) => {
    const path = join(CHART, 'files', folder)
    return readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')])
  }
  const dashboards = manifests.filter(({ metadata }) => metadata.labels?.grafana_dashboard === '1')
  const rules = manifests.filter(({ kind }) => kind === 'PrometheusRule')

  expect(
    dashboards.flatMap(({ data = {} }) => Object.entries(data)).map(([name, text]) => [name, JSON.parse(text)]),
  ).toEqual(filesOf('dashboards').map(([name, text]) => [name, JSON.parse(text as string)]))
  expect(rules.map(({ spec }) => spec.groups)).toEqual(
    filesOf('alerts').map(([, text]) => parse(text as string).groups),
  )
})

test('alerts link to the runbooks where they are published', () => {
  const prometheusRule = { enabled: true, runbooksUrl: 'https://git.example.com/docs/runbooks/' }
  const { spec } = one(render({ values: { ...SERVERS, monitoring: { prometheusRule } } }), 'PrometheusRule')

  const links = spec.groups.flatMap(({ rules }: { rules: { annotations?: { runbook_url?: string } }[] }) =>
    rules.map(({ annotations }) => annotations?.runbook_url),
  )
  expect(links).toContain('https://git.example.com/docs/runbooks/NightshiftNoConsumers.md')
  for (const link of links) expect(link).toMatch(/^https:\/\/git\.example\.com\/docs\/runbooks\/Nightshift\w+\.md$/)
})
