// The samples of k8s/ are what the tools take: overlays that kustomize builds into valid objects, values that the chart
// accepts, and a script whose words are those of the chart.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { kubectl } from '../../scripts/kubernetes/tools.ts'
import { merged } from './cases.ts'
import { CHART, type Container, envOf, HELMS, type Manifest, one, PROGRAMS, podSpecs, render } from './chart.ts'
import { createJudge } from './schemas.ts'
import { laxities } from './security.ts'
import { badNames, danglers } from './whole.ts'

const K8S = fileURLToPath(new URL('../../k8s', import.meta.url))
const judge = createJudge()
const KUBECTL = kubectl()
const yamlOf = (path: string) => parse(readFileSync(path, 'utf8'))
const OVERLAYS = [
  { overlay: 'staging', replicas: 1, least: 0, most: 4, image: 'nightshift-api:latest' },
  {
    overlay: 'prod',
    replicas: 3,
    least: 2,
    most: 20,
    image: 'registry.example.com/team/nightshift-api:0.1.0',
  },
]

const builds = HELMS.flatMap((helm) => OVERLAYS.map((each) => ({ helm, ...each })))

test.each(builds)('$overlay builds with $helm', ({ helm, overlay, replicas, least, most, image }) => {
  const folder = join(K8S, 'kustomize/overlays', overlay)
  const options = ['--enable-helm', '--helm-command', PROGRAMS[helm], '--load-restrictor', 'LoadRestrictionsNone']
  const { status, stdout, stderr } = spawnSync(KUBECTL, ['kustomize', folder, ...options], { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)

  expect(manifests.flatMap(judge)).toEqual([])
  expect(badNames(manifests)).toEqual([])
  expect(danglers(manifests, new Set(['nightshift-database', 'nightshift-broker']))).toEqual([])
  expect(laxities(manifests)).toEqual([])
  expect(one(manifests, 'Deployment', '-api').spec.replicas).toBe(replicas)
  const { minReplicaCount, maxReplicaCount, fallback } = one(manifests, 'ScaledObject').spec
  expect([minReplicaCount, maxReplicaCount, fallback.replicas]).toEqual([least, most, most / 2])
  const api = one(manifests, 'Deployment', '-api').spec.template.spec.containers[0]
  expect(envOf(api, 'NIGHTSHIFT_MAX_REPLICAS')).toBe(String(most))
  const images = podSpecs(manifests).flatMap(({ containers }) => containers.map((each: Container) => each.image))
  expect(images).toContain(image)
})

test('the values for the external servers name Secrets and keys that their operators write', () => {
  const values = merged(yamlOf(join(CHART, 'values-prod.yaml')), yamlOf(join(K8S, 'external/values.yaml')))
  const manifests = render({ values, release: 'nightshift' })
  const rabbitmq = yamlOf(join(K8S, 'external/rabbitmq.yaml')).metadata.name
  const postgresql = yamlOf(join(K8S, 'external/postgresql.yaml')).metadata.name

  expect(danglers(manifests, new Set([`${rabbitmq}-default-user`, `${postgresql}-app`]))).toEqual([])
})

test('the demo on kind finds what its script names', () => {
  const values = merged(yamlOf(join(CHART, 'values-dev.yaml')), yamlOf(join(K8S, 'kind/values.yaml')))
  const names = render({ values, release: 'nightshift' }).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  const script = readFileSync(join(K8S, 'kind/up.sh'), 'utf8')

  for (const [word, name] of [
    ['svc/nightshift-api', 'Service nightshift-api'],
    ['deployment/nightshift-consumer-default', 'Deployment nightshift-consumer-default'],
  ] as const) {
    expect(script).toContain(word)
    expect(names).toContain(name)
  }
  expect(spawnSync('bash', ['-n', join(K8S, 'kind/up.sh')]).status).toBe(0)
})
