// Promise: an autoscaler is told all the work there is, what waits and what runs, also while no consumer is alive; and
// when something cannot be known it gets an error, never a number.
import { afterEach, expect, test } from 'vitest'
import { aVhost, type Vhost } from '../support/broker.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ApiProcess, submitAll, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

let database: Database
let vhost: Vhost
let toPostgres: FaultProxy
let toBroker: FaultProxy
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await Promise.all([toPostgres.stop(), toBroker.stop()])
  await Promise.all([vhost.drop(), database.drop()])
})
const nightshift = withNightshift(async () => {
  database = await aDatabase()
  vhost = await aVhost()
  toPostgres = await startFaultProxy({ targetPort: Number(new URL(database.url).port) })
  toBroker = await startFaultProxy({ targetPort: Number(new URL(vhost.url).port) })
  return { databaseUrl: toPostgres.url(database.url), amqpUrl: toBroker.url(vhost.url) }
})

interface Answer {
  readonly status: number
  readonly type: string | null
  // biome-ignore lint/suspicious/noExplicitAny: figures or a problem, looked into by the tests
  readonly body: any
}

async function ask(api: ApiProcess, query: string): Promise<Answer> {
  const response = await fetch(new URL(`/scaling${query}`, api.metricsUrl))
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() }
}

/** Waits until the queue trial has this much, and returns the whole answer. */
function untilWork(api: ApiProcess, backlog: number, running: number): Promise<Answer> {
  return until(`${backlog} to wait and ${running} to run`, async () => {
    const answer = await ask(api, '?queues=trial')
    return answer.body.backlog === backlog && answer.body.running === running && answer
  })
}

const sleeps = (count: number) =>
  Array.from({ length: count }, () => ({ name: 'trial.sleep', payload: { ms: 60_000 } }))

test('what waits counts before any consumer lives, and what runs goes on counting', async () => {
  const api = await nightshift.startApi()
  await submitAll(api, sleeps(5))

  const asleep = await untilWork(api, 5, 0)
  const other = await ask(api, '?queues=conversations')
  const both = await ask(api, '?queues=conversations,trial')
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:2' })
  const awake = await untilWork(api, 3, 2)

  expect(asleep).toMatchObject({ status: 200, body: { queues: ['trial'], backlog: 5, running: 0, value: 5 } })
  expect(other.body).toEqual({ queues: ['conversations'], backlog: 0, running: 0, value: 0 })
  expect(both.body).toEqual({ queues: ['conversations', 'trial'], backlog: 5, running: 0, value: 5 })
  expect(awake.body.value).toBe(5)
})

test('what only the database knows of counts too: what is due in the outbox, and what a dead consumer still holds', async () => {
  // A long lease, so that the auditor leaves the dead alone for the time of this test.
  const api = await nightshift.startApi({ NIGHTSHIFT_LEASE_SECONDS: '300' })
  await untilWork(api, 0, 0)
  // Rows that another process has claimed for long: nobody publishes them.
  await nightshift.sql(
    `insert into outbox (task_id, attempt, queue, created_at, due_at, claimed_until)
     values (gen_random_uuid(), 1, 'trial', now(), now(), now() + interval '1 h'),
            (gen_random_uuid(), 1, 'trial', now(), now() + interval '1 h', now() + interval '2 h')`,
  )
  await nightshift.sql(
    `insert into consumer (id, name, version, queues, lease_until, running, ended_at)
     values (gen_random_uuid(), 'dead', '0', '{}', now() - interval '1 s', '{"trial": 3, "conversations": 9}', null),
            (gen_random_uuid(), 'gone', '0', '{}', now() - interval '1 s', '{"trial": 5}', now())`,
  )

  const { body } = await untilWork(api, 1, 3)

  expect(body.value).toBe(4)
})

test('without the broker or the database there is an error and no figure, until they are back', async () => {
  const api = await nightshift.startApi()
  await submitAll(api, sleeps(1))
  // Cut off before its confirm, the message would be sent again, and counted twice.
  await until('the message to be confirmed', async () => {
    return (await nightshift.sql('select from outbox')).length === 0
  })
  await untilWork(api, 1, 0)
  const statuses = async (wanted: number): Promise<Answer> =>
    until(`the answer ${wanted}`, async () => {
      const answer = await ask(api, '?queues=trial')
      return answer.status === wanted && answer
    })

  toBroker.refuse()
  const withoutBroker = await statuses(503)
  toBroker.pass()
  const again = await statuses(200)
  toPostgres.refuse()
  const withoutDatabase = await statuses(503)
  toPostgres.pass()
  await statuses(200)
  toPostgres.blackhole('both')
  const silent = await statuses(503)

  expect(again.body.value).toBe(1)
  for (const { type, body } of [withoutBroker, withoutDatabase, silent]) {
    expect(type).toBe('application/problem+json')
    expect(body).toEqual({ type: 'about:blank', title: 'Service Unavailable', status: 503, detail: expect.any(String) })
  }
  expect(withoutBroker.body.detail).toBe('the broker does not tell how much waits in trial')
  expect(withoutDatabase.body.detail).toMatch(/^the database does not tell how much there is: /)
  expect(silent.body.detail).toBe('the database does not tell how much there is: no answer within 1.5 s')
})

test('a question that cannot be meant is refused, and told what could be', async () => {
  const api = await nightshift.startApi()
  const known = 'known are conversations, trial'

  expect(await ask(api, '')).toMatchObject({ status: 400, body: { detail: expect.stringContaining(known) } })
  expect(await ask(api, '?queues=,')).toMatchObject({ status: 400 })
  expect(await ask(api, '?queues=trial,trail')).toMatchObject({
    status: 404,
    body: { detail: `there is no queue trail here; ${known}` },
  })
})
