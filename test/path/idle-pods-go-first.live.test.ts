// Promise: when pods are to be ended Kubernetes is told which of them are idle, in few words; and it may be away without
// any harm to the tasks. (The API server is the test's own: no cluster runs here.)
import { afterEach, expect, test } from 'vitest'
import { type ApiServer, anApiServer } from '../support/api-server.ts'
import { type ApiProcess, finished, metric, submit, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

let kubernetes: ApiServer
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await kubernetes.stop()
})
const nightshift = withNightshift(async () => {
  kubernetes = await anApiServer('work', ['pod-busy', 'pod-idle', 'pod-other'])
  return {
    env: {
      // Long, so that none is lost on a busy machine: a new life is another consumer, and its pod would be read again.
      NIGHTSHIFT_LEASE_SECONDS: '20',
      NIGHTSHIFT_POD_DELETION_COST: 'true',
      NIGHTSHIFT_POD_NAMESPACE: 'work',
      KUBECONFIG: kubernetes.kubeconfig,
    },
  }
})

const costs = (api: ApiProcess, result: string) =>
  metric(api.metricsUrl, 'nightshift_pod_deletion_costs_total', { result })

test('a busy pod costs more than an idle one, is written once, and a second api writes nothing', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'pod-busy', NIGHTSHIFT_QUEUES: 'trial:2' })
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'pod-idle', NIGHTSHIFT_QUEUES: 'conversations:2' })
  // Nobody's pod: a consumer that runs outside of the cluster.
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'elsewhere', NIGHTSHIFT_QUEUES: 'conversations:2' })
  await submit(api, { name: 'trial.sleep', payload: { ms: 3_600_000 } })

  await until('the busy pod to be dear', () => kubernetes.costOf('pod-busy') === '100')
  const second = await nightshift.startApi()
  // Consumers are looked at by name, so whoever read the idle one has seen the busy one.
  await until('both to have read the pods', () => kubernetes.reads.filter((pod) => pod === 'pod-idle').length >= 2)
  const calm = [...kubernetes.writes]
  // From one minute on an attempt is long-running; this one is made to look that old.
  await nightshift.sql(`update unfinished set started_at = started_at - interval '1 min' where status = 'RUNNING'`)
  await until('the pod to be dearer', () => kubernetes.costOf('pod-busy') === '200')

  await until('every write to be counted', async () => {
    const counted = (await costs(api, 'written')) + (await costs(second, 'written'))
    return counted === kubernetes.writes.length
  })

  expect(calm).toEqual([{ pod: 'pod-busy', cost: '100' }])
  expect(kubernetes.costOf('pod-idle')).toBeUndefined()
  expect(kubernetes.costOf('pod-other')).toBeUndefined()
  expect(new Set(kubernetes.writes.map(({ pod }) => pod))).toEqual(new Set(['pod-busy']))
})

test('an API server that refuses is named once in the log, tasks go on, and so do costs when it gives in', async () => {
  kubernetes.fail(403)
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'pod-busy', NIGHTSHIFT_QUEUES: 'trial:2' })

  await until('it to have been tried twice', async () => (await costs(api, 'failed')) >= 2)
  const id = await submit(api, { name: 'trial.echo', payload: 'still here' })
  const { status } = await finished(api, id)
  await submit(api, { name: 'trial.sleep', payload: { ms: 3_600_000 } })
  kubernetes.fail(undefined)
  await until('the busy pod to be dear', () => kubernetes.costOf('pod-busy') === '100')
  await api.waitForLog(({ msg }) => msg === 'pod deletion costs are written again')

  expect(status).toBe('SUCCESS')
  const told = api.log.filter(({ msg }) => msg.startsWith('pod deletion costs cannot be written'))
  expect(told).toHaveLength(1)
  expect(told[0]?.error).toMatch(/the rights get and patch on pods/)
})
