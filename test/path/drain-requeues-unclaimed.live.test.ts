// Promise: a consumer that stops while its database does not answer gives back what it has not claimed: the next one
// starts it at once, and nobody says that the broker had lost it.
import { expect, test } from 'vitest'
import { workQueue } from '../../src/broker/topology.ts'
import { managementOf } from '../support/broker.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { call, finished, metric, submit, withNightshift } from '../support/nightshift.ts'
import { aProxyTo, execution } from '../support/postgres-wire.ts'
import { shared } from '../support/servers.ts'

/** Far longer than this test: a task that is offered again by the auditor does not finish in it. */
const QUIET_SECONDS = '600'
const nightshift = withNightshift({
  env: { NIGHTSHIFT_AUDIT_QUIET_SECONDS: QUIET_SECONDS, NIGHTSHIFT_LEASE_SECONDS: '10' },
})

function readyMessages(): Promise<number> {
  const { managementUrl } = shared()
  return managementOf({ url: nightshift.amqpUrl, name: '', managementUrl }).readyCount(workQueue('trial'))
}

test.each([
  { what: 'refuses', drainGrace: '60', cut: (proxy: FaultProxy) => proxy.refuse() },
  { what: 'hears, and never answers', drainGrace: '1', cut: (proxy: FaultProxy) => proxy.blackhole('down') },
])('while its database $what, a stopping consumer gives its message back', async ({ drainGrace, cut }) => {
  const api = await nightshift.startApi()
  const proxy = await aProxyTo(nightshift.databaseUrl)
  const first = await nightshift.startConsumer({
    DATABASE_URL: proxy.url(nightshift.databaseUrl),
    NIGHTSHIFT_DRAIN_GRACE_SECONDS: drainGrace,
  })
  // A claim that never reaches the database: what comes after it on the connection is held too.
  const claim = proxy.holdRequest(execution('claim'))

  const id = await submit(api, { name: 'trial.echo', payload: 'unclaimed' })
  await claim.reached
  cut(proxy)
  first.kill('SIGTERM')
  const exit = await first.exit
  const ready = await readyMessages()
  await proxy.stop()
  await nightshift.startConsumer()
  const { result } = await finished(api, id)

  expect(exit).toEqual({ code: 0, signal: null })
  expect(ready, 'messages back in the queue').toBe(1)
  expect(result).toBe('unclaimed')
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total', { cause: 'lost' })).toBe(0)
  const { tasks } = (await call(api, 'GET', `/api/v1/requests/${id}`)).body
  expect(tasks[0].why).not.toMatch(/lost/)
})
