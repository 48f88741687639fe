// The NetworkPolicies let through what Nightshift itself sends, whatever else the values keep out, and when it is sent.
import { expect, test } from 'vitest'
import { merged } from './cases.ts'
import { type Manifest, one, render, SERVERS } from './chart.ts'
import { podsOf } from './whole.ts'

const rendered = (values: object): Manifest[] => render({ values: merged(SERVERS, { ...values }) })

test('whoever may call the API, `helm test` may', () => {
  const ingress = { namespaceSelector: { matchLabels: { name: 'ingress' } } }
  const from = (values: object) => {
    const manifests = rendered({ networkPolicy: { apiFrom: [ingress] }, ...values })
    const [api] = one(manifests, 'NetworkPolicy', '-api').spec.ingress
    return { manifests, peers: api.from as { podSelector?: { matchLabels: Record<string, string> } }[] }
  }
  const { manifests, peers } = from({})

  expect(peers[0]).toEqual(ingress)
  const named = peers.flatMap(({ podSelector }) => (podSelector ? podsOf(manifests, podSelector.matchLabels) : []))
  expect(named.map(({ from: pod }) => pod.metadata.name)).toContain('demo-nightshift-test-end-to-end')
  expect(from({ tests: { enabled: false } }).peers).toEqual([ingress])
})

test('without a list anybody may call, and the test is not named', () => {
  const [api] = one(rendered({}), 'NetworkPolicy', '-api').spec.ingress

  expect(api).toEqual({ ports: [{ port: 8080 }] })
})

const HOOK = 'helm.sh/hook'

test('a migration that runs before the upgrade brings its own way to PostgreSQL, and to names', () => {
  const manifests = rendered({ database: { port: 6432 }, migration: { mode: 'hook' } })
  const [job, policy] = [one(manifests, 'Job'), one(manifests, 'NetworkPolicy', '-migrate')]
  const [ofJob, ofPolicy] = [job, policy].map(({ metadata }) => metadata.annotations ?? {})

  expect(ofPolicy?.[HOOK]).toBe(ofJob?.[HOOK])
  expect(Number(ofPolicy?.[`${HOOK}-weight`])).toBeLessThan(Number(ofJob?.[`${HOOK}-weight`]))
  // Nothing of a hook is removed with the release, so it must be gone when the hook is.
  expect(ofPolicy?.[`${HOOK}-delete-policy`]).toBe('before-hook-creation,hook-succeeded')
  expect(podsOf(manifests, policy.spec.podSelector.matchLabels).map(({ from }) => from)).toEqual([job])
  const ports = policy.spec.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port))
  expect(ports).toEqual([53, 53, 6432])
})

test.each(['job', 'hook'])('a policy for the migration stays with the release in the mode %s', (mode) => {
  const { metadata, spec } = one(rendered({ migration: { mode } }), 'NetworkPolicy', '-migration')

  expect(metadata.annotations).toBeUndefined()
  expect(spec.podSelector.matchLabels['app.kubernetes.io/component']).toBe('migration')
})
