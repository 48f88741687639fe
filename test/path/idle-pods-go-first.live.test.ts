// Promise: when pods are to be ended Kubernetes is told which of them are idle, in few words; and it may be away without
// any harm to the tasks. (The API server is the test's own: no cluster runs here.)
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ApiServer, anApiServer } from '../support/api-server.ts'
import { type ApiProcess, aNightshift, finished, metric, type Nightshift, submit } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { until } from '../support/until.ts'

failOnLeftovers()
let kubernetes: ApiServer
let nightshift: Nightshift
beforeEach(async () => {
  kubernetes = await anApiServer('work', ['pod-busy', 'pod-idle', 'pod-other'])
  nightshift = await aNightshift({
    env: {
      NIGHTSHIFT_POD_DELETION_COST: 'true',
      NIGHTSHIFT_POD_NAMESPACE: 'work',
      KUBECONFIG: kubernetes.kubeconfig,
    },
  })
})
afterEach(async () => {
  await nightshift.remove()
  await kubernetes.stop()
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
  // One minute is the class of the long-running; the attempt is made to look that old.
  await until('both to have read all of the pods', () => kubernetes.reads >= 7)
  const calm = [...kubernetes.writes]
  await nightshift.sql(`update unfinished set started_at = started_at - interval '1 min' where status = 'RUNNING'`)
  await until('the pod to be dearer', () => kubernetes.costOf('pod-busy') === '200')

  expect(calm).toEqual([{ pod: 'pod-busy', cost: '100' }])
  expect(kubernetes.costOf('pod-idle')).toBeUndefined()
  expect(kubernetes.costOf('pod-other')).toBeUndefined()
  expect(new Set(kubernetes.writes.map(({ pod }) => pod))).toEqual(new Set(['pod-busy']))
  expect((await costs(api, 'written')) + (await costs(second, 'written'))).toBe(kubernetes.writes.length)
})

test.each([403, 503])('an API server that answers %i is named once in the log, and tasks go on', async (status) => {
  kubernetes.fail(status)
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'pod-busy', NIGHTSHIFT_QUEUES: 'trial:2' })

  await until('it to have been tried twice', async () => (await costs(api, 'failed')) >= 2)
  const id = await submit(api, { name: 'trial.echo', payload: 'still here' })
  const { status: end } = await finished(api, id)
  await submit(api, { name: 'trial.sleep', payload: { ms: 3_600_000 } })
  kubernetes.fail(undefined)
  await until('the busy pod to be dear', () => kubernetes.costOf('pod-busy') === '100')
  await api.waitForLog(({ msg }) => msg === 'pod deletion costs are written again')

  expect(end).toBe('SUCCESS')
  const told = api.log.filter(({ msg }) => msg.startsWith('pod deletion costs cannot be written'))
  expect(told).toHaveLength(1)
  expect(told[0]?.error).toMatch(status === 403 ? /the rights get and patch on pods/ : /answered 503/)
})
