// Promise: every line about a task names its request, task, attempt, trace and client in the same fields; no line of any
// process, even at the level debug, has a payload, a key, a password or what a handler says of the payload.
import { beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { createApiKey } from '../../src/store/api-keys.ts'
import { openDb } from '../../src/store/db.ts'
import { call, finished, withNightshift } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'

const MARK = 'm4rk3d-s3cr3t'
const nightshift = withNightshift({
  env: {
    NIGHTSHIFT_AUTH: 'on',
    NIGHTSHIFT_LOG_LEVEL: 'debug',
    NIGHTSHIFT_RETRY_LADDER: '100ms',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${MARK}`,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  },
})
beforeEach(async () => {
  const withPassword = new URL(nightshift.databaseUrl)
  withPassword.password = MARK
  nightshift.env.DATABASE_URL = withPassword.href
})

async function aKey(): Promise<string> {
  const db = openDb({ url: nightshift.databaseUrl, poolSize: 1, name: 'test', log: silentLog })
  const key = await createApiKey(db, 'billing', ['submit', 'operate'], null)
  await db.close()
  return key
}

const said = ({ log, output }: RunningProcess): string =>
  [...log.map((line) => JSON.stringify(line)), ...output].join('\n')

test('payloads, keys and passwords stay out of every log, and ids are in it', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer()
  const brokenUrl = new URL(nightshift.amqpUrl)
  brokenUrl.password = MARK
  const refused = await nightshift.startConsumer({ AMQP_URL: brokenUrl.href }, { subscribed: false })
  await refused.waitForLog(({ msg }) => msg === 'broker connection is down')
  const key = await aKey()
  const traceId = 'e'.repeat(32)
  const headers = {
    authorization: `Bearer ${key}`,
    'x-request-id': 'req-logged',
    traceparent: `00-${traceId}-${'f'.repeat(16)}-01`,
  }
  const post = (task: unknown, more: Record<string, string> = {}, query = '') =>
    call(api, 'POST', `/api/v1/tasks${query}`, task, { ...headers, ...more })
  const keyed = { 'idempotency-key': MARK }

  const succeeds = await post({ name: 'trial.echo', payload: { [MARK]: MARK }, userId: MARK, tags: [MARK] }, keyed)
  const fails = await post({ name: 'trial.fail', payload: { times: 9, message: `no ${MARK}` }, maxAttempts: 2 })
  const ids = [succeeds, fails].map(({ body }) => body.id as string)
  const isRefused = [
    await post({ name: 'trial.echo', payload: 1 }, keyed),
    await post({ name: 'trial.sleep', payload: { ms: MARK, [MARK]: 1 } }),
    await post({ name: MARK, payload: 1 }),
    await post(`{"${MARK}`),
    await post({ name: 'trial.echo', payload: 1 }, {}, `?${MARK}=${MARK}`),
    await post({ name: 'trial.echo', payload: 1 }, { authorization: `Bearer ${MARK}` }),
  ]
  for (const id of ids) await finished({ url: api.url }, id, 30_000, headers)
  const processes = [consumer, refused, api]
  for (const each of processes) each.kill()
  for (const each of processes) expect(await each.exit).toEqual({ code: 0, signal: null })

  expect(isRefused.map(({ status }) => status)).toEqual([422, 422, 422, 422, 400, 401])
  for (const each of processes) {
    expect(said(each)).not.toContain(MARK)
    expect(said(each)).not.toContain(key)
    expect(each.output).toEqual([])
  }
  const accepted = api.log.filter(({ msg }) => msg === 'task accepted')
  const common = { request_id: 'req-logged', trace_id: traceId, client: 'billing' }
  expect(accepted).toEqual(ids.map((id) => expect.objectContaining({ ...common, task_id: id })))
  const settled = consumer.log.filter(({ msg }) => msg === 'attempt settled')
  const [echo, fail] = ids
  expect(settled).toHaveLength(3)
  expect(settled).toContainEqual(expect.objectContaining({ ...common, task_id: echo, attempt: 1, next: 'SUCCESS' }))
  const failed = { ...common, task_id: fail, error: 'Error', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) }
  expect(settled).toContainEqual(expect.objectContaining({ ...failed, attempt: 1, next: 'RETRYING' }))
  // A later attempt is found in the trace that it has of its own.
  const own = { trace_id: expect.not.stringContaining(traceId) }
  expect(settled).toContainEqual(expect.objectContaining({ ...failed, ...own, attempt: 2, next: 'FAILED' }))
})
