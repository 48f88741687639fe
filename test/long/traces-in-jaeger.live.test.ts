// Promise: a task is found in a real Jaeger by the id of its trace and by its request id, and a later attempt, which is a
// trace of its own, by the same request id and leads back to the first. Spans go there as they do by default: in protobuf.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Jaeger, type JaegerSpan, type JaegerTrace, startJaeger } from '../../scripts/servers/jaeger.ts'
import { placeOfAttempt } from '../../src/core/trace.ts'
import { type ApiProcess, call, finished, withNightshift } from '../support/nightshift.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'

/** What the first run needs to build Jaeger where two cores have other work too. */
const BUILD_MS = 1_800_000

let jaeger: Jaeger
beforeAll(async () => {
  const folder = join(shared().runFolder, `jaeger-${randomBytes(4).toString('hex')}`)
  jaeger = await startJaeger({ folder, log: console.error })
}, BUILD_MS)
afterAll(() => jaeger?.remove())

const nightshift = withNightshift({ env: { NIGHTSHIFT_RETRY_LADDER: '200ms' } })
let api: ApiProcess
beforeEach(async () => {
  Object.assign(nightshift.env, { OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl, OTEL_BSP_SCHEDULE_DELAY: '50' })
  api = await nightshift.startApi()
  await nightshift.startConsumer()
})

const byRequest = (service: string, id: string) => jaeger.find(service, { 'app.request.id': id })
const idsOf = (traces: readonly JaegerTrace[]): string[] => traces.map(({ traceID }) => traceID).sort()
const placeOf = ({ traceID, spanID }: { traceID: string; spanID: string }) => ({ traceID, spanID })

/** Waits for a trace in which all these spans are, and gives them in this order. */
async function spansOf(traceId: string, ...names: string[]): Promise<JaegerSpan[]> {
  return until(`the spans ${names.join(', ')} of trace ${traceId}`, async () => {
    const spans = (await jaeger.trace(traceId))?.spans ?? []
    const found = names.map((name) => spans.find(({ operationName }) => operationName === name))
    return found.every((span) => span !== undefined) && found
  })
}

test('a task is found by its trace id and in both services by its request id, and by no other', async () => {
  const task = { name: 'trial.echo', payload: 1 }
  const { body } = await call(api, 'POST', '/api/v1/tasks', task, { 'x-request-id': 'req-looked-up' })
  await finished(api, body.id)

  const process = 'process nightshift.task:now.trial:nightshift.task.trial.v1'
  await spansOf(body.traceId, 'POST /api/v1/tasks', 'accept trial.echo', process, 'claim', 'settle')
  expect(idsOf(await byRequest('nightshift-api', 'req-looked-up'))).toEqual([body.traceId])
  expect(idsOf(await byRequest('nightshift-consumer', 'req-looked-up'))).toEqual([body.traceId])
  expect(await byRequest('nightshift-api', 'req-that-never-was')).toEqual([])
  expect(await byRequest('nightshift-consumer', 'req-that-never-was')).toEqual([])
  expect(await jaeger.trace('f'.repeat(32))).toBeUndefined()
})

test('attempt 2 is found by the request id of the task, and links to its acceptance and to attempt 1', async () => {
  const task = { name: 'trial.fail', payload: { times: 1 }, maxAttempts: 2 }
  const { body } = await call(api, 'POST', '/api/v1/tasks', task, { 'x-request-id': 'req-retried' })
  expect((await finished(api, body.id)).status).toBe('SUCCESS')

  const queue = 'trial:nightshift.task.trial.v1'
  const later = placeOfAttempt(body.traceId, body.id, 2)
  const [accept, first] = await spansOf(body.traceId, 'accept trial.fail', `process nightshift.task:now.${queue}`)
  const [second] = await spansOf(later.traceId, `process nightshift.task:200ms.${queue}`)
  expect(idsOf(await byRequest('nightshift-consumer', 'req-retried'))).toEqual([body.traceId, later.traceId].sort())
  expect(second?.spanID).toBe(later.spanId)
  expect(second?.references.map(({ refType }) => refType)).toEqual(['FOLLOWS_FROM', 'FOLLOWS_FROM'])
  expect(second?.references.map(placeOf)).toEqual([accept, first].map((span) => placeOf(span as JaegerSpan)))
})
