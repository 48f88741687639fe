// Promise: the door never opens because it does not know: while a frozen broker does not answer, what was accepted since
// the last answer counts; once its connection is given up the outbox alone counts; and an api that can read nothing lets
// a trickle in. When the figures come back everybody comes in again, and nothing that was accepted is lost.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ApiProcess, call, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

const HIGH = 200

let proxy: FaultProxy
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await proxy.stop()
})
const nightshift = withNightshift({
  env: {
    NIGHTSHIFT_DEPTH_LOW: String(HIGH / 2),
    NIGHTSHIFT_DEPTH_HIGH: String(HIGH),
    NIGHTSHIFT_OUTBOX_HIGH: '2000',
  },
})
beforeEach(async () => {
  proxy = await startFaultProxy({ targetPort: Number(new URL(nightshift.amqpUrl).port) })
})

interface Answers {
  readonly ids: string[]
  readonly refused: { readonly status: number; readonly retryAfter: number; readonly limit: number | undefined }[]
}

/** Submits many tasks at once, one request for each. */
async function send(api: ApiProcess, tasks: number): Promise<Answers> {
  const answers: Answers = { ids: [], refused: [] }
  const one = async (): Promise<void> => {
    const { status, headers, body } = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: 1 })
    if (status === 202) answers.ids.push(body.id)
    else answers.refused.push({ status, retryAfter: Number(headers.get('retry-after')), limit: body.limit })
  }
  await Promise.all(Array.from({ length: tasks }, one))
  return answers
}

async function expectAllSucceeded(ids: readonly string[]): Promise<void> {
  await nightshift.untilAllFinished()
  const [row] = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from finished where task_id = any($1) and status = 'SUCCESS'`,
    [ids],
  )
  expect(row?.tasks).toBe(ids.length)
}

test('a frozen broker: first the last answer and what came since, then the outbox alone', async () => {
  // It is given up after 6 s without a sign of life, so that both can be seen.
  const api = await nightshift.startApi({ AMQP_URL: `${proxy.url(nightshift.amqpUrl)}?heartbeat=3` })
  await nightshift.startConsumer()

  proxy.blackhole('both')
  const stale = await send(api, 1.5 * HIGH)
  await api.waitForLog(({ msg, link }) => msg === 'broker connection is down' && String(link).startsWith('relay'))
  const away = await send(api, 1.5 * HIGH)
  proxy.pass()
  // Whatever waits for an answer that was swallowed would go on waiting.
  proxy.reset()
  await expectAllSucceeded([...stale.ids, ...away.ids])
  await until('the door to know how things stand again', async () => {
    const back = await send(api, HIGH / 4)
    await expectAllSucceeded(back.ids)
    return back.refused.length === 0
  })

  expect(stale.ids.length).toBeGreaterThanOrEqual(HIGH / 2)
  expect(stale.ids.length).toBeLessThanOrEqual(HIGH * 1.1)
  expect(new Set(stale.refused.map(({ status, limit }) => `${status} ${limit}`))).toEqual(new Set([`429 ${HIGH}`]))
  expect(away.ids.length).toBe(1.5 * HIGH)
})

test('an api that cannot read how things stand lets a trickle in, and everybody once it can', async () => {
  await nightshift.sql('alter table api_process rename to hidden')
  const api = await nightshift.startApi()
  await nightshift.startConsumer()

  const unknown = await send(api, 100)
  await nightshift.sql('alter table hidden rename to api_process')
  await until('the figures', async () => (await send(api, 20)).refused.length === 0)
  await nightshift.untilAllFinished()

  expect(unknown.ids.length).toBeGreaterThanOrEqual(1)
  expect(unknown.refused.length).toBeGreaterThan(50)
  expect(new Set(unknown.refused.map(({ status }) => status))).toEqual(new Set([503]))
  expect(Math.min(...unknown.refused.map(({ retryAfter }) => retryAfter))).toBeGreaterThanOrEqual(1)
  await expectAllSucceeded(unknown.ids)
})
