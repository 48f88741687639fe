// Promise: one request is one trace, from the call to the handler's own SQL and HTTP calls; later attempts and redrives
// are traces of their own that link back; every span of a task can be found by its request id.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { placeOfAttempt } from '../../src/core/trace.ts'
import { type ApiProcess, call, finished, withNightshift } from '../support/nightshift.ts'
import { anOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts'
import { until } from '../support/until.ts'

let otlp: OtlpReceiver
let api: ApiProcess
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await otlp.close()
})
const nightshift = withNightshift(async () => {
  otlp = await anOtlpReceiver()
  return { env: { ...otlp.env, NIGHTSHIFT_RETRY_LADDER: '200ms' } }
})
beforeEach(async () => {
  api = await nightshift.startApi()
})

const named =
  (name: string, of: { traceId: string } | undefined = undefined) =>
  (span: ReceivedSpan): boolean =>
    span.name === name && (of === undefined || span.traceId === of.traceId)

const idsOf = (span: ReceivedSpan) => ({
  request: span.attributes['app.request.id'],
  id: span.attributes['app.task.id'],
  name: span.attributes['app.task.name'],
  attempt: span.attributes['app.task.attempt'],
})
const placeOf = ({ traceId, spanId }: ReceivedSpan) => ({ traceId, spanId })
const isBelow = (child: ReceivedSpan, parent: ReceivedSpan): boolean =>
  child.parentSpanId === parent.spanId && child.traceId === parent.traceId

const RETRIED = 'process nightshift.task:200ms.trial:nightshift.task.trial.v1'
const PROCESS = 'process nightshift.task:now.trial:nightshift.task.trial.v1'

test('a task that succeeds is one tree, down to the SQL and HTTP calls of its handler', async () => {
  const asked: (string | undefined)[] = []
  const mayAnswer = Promise.withResolvers<void>()
  const neighbour = createServer(async (request, response) => {
    asked.push(request.headers.traceparent as string | undefined)
    await mayAnswer.promise
    response.end('yes')
  })
  await new Promise<void>((resolve) => neighbour.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(neighbour.address() as AddressInfo).port}/asked?key=of-the-neighbour`
  await nightshift.startConsumer({ NODE_OPTIONS: '--import ./test/support/calling-handler.ts' })
  const caller = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  const headers = { 'x-request-id': 'req-tree', traceparent: `00-${caller.traceId}-${caller.spanId}-01` }

  const answer = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: { url } }, headers)
  const { id, traceId } = answer.body
  await call(api, 'GET', `/api/v1/tasks/${id}`, undefined, { 'x-request-id': 'req-waits', prefer: 'wait=1' })
  mayAnswer.resolve()
  await finished(api, id)

  const waited = await otlp.span('waiting', (span) => span.kind === 'SERVER' && idsOf(span).request === 'req-waits')
  const request = await otlp.span('the request', named('POST /api/v1/tasks'))
  const accept = await otlp.span('accepting', named('accept trial.echo'))
  const publish = await otlp.span('publishing', named('publish nightshift.task:now.trial'))
  const attempt = await otlp.span('the attempt', named(PROCESS))
  const claim = await otlp.span('the claim', named('claim', attempt))
  const http = await otlp.span('the HTTP call', ({ attributes }) => String(attributes['url.full']).includes('/asked'))
  const sql = await otlp.span('the SQL', ({ attributes }) => String(attributes['db.query.text']).includes('1 + 1'))
  const settle = await otlp.span('settling', named('settle', attempt))
  neighbour.close()

  expect(traceId).toBe(caller.traceId)
  expect(answer.headers.get('traceparent')).toBe(`00-${traceId}-${request.spanId}-01`)
  expect(request.parentSpanId).toBe(caller.spanId)
  const tree = [
    [accept, request],
    [publish, accept],
    [attempt, accept],
    [claim, attempt],
    [http, attempt],
    [sql, attempt],
    [settle, attempt],
  ] as const
  for (const [child, parent] of tree) {
    expect(isBelow(child, parent), `${child.name} below ${parent.name}`).toBe(true)
    expect(child.links).toEqual([])
  }
  expect([request, accept, publish, attempt, claim, http, sql, settle].map(({ kind }) => kind)).toEqual([
    'SERVER',
    'INTERNAL',
    'PRODUCER',
    'CONSUMER',
    'INTERNAL',
    'CLIENT',
    'CLIENT',
    'INTERNAL',
  ])
  const ids = { request: 'req-tree', id, name: 'trial.echo' }
  for (const span of [request, accept]) expect(idsOf(span)).toEqual({ ...ids, attempt: 0 })
  for (const span of [publish, attempt, claim, http, sql, settle]) expect(idsOf(span)).toEqual({ ...ids, attempt: 1 })
  expect(asked).toEqual([`00-${traceId}-${http.spanId}-01`])
  expect([request.service, attempt.service]).toEqual(['nightshift-api', 'nightshift-consumer'])
  expect(attempt.attributes['app.task.next']).toBe('SUCCESS')
  expect(request.attributes['http.request.header.x-request-id']).toEqual(['req-tree'])
  expect(publish.attributes).toMatchObject({
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'nightshift.task:now.trial',
    'messaging.rabbitmq.destination.routing_key': 'now.trial',
    'messaging.message.conversation_id': 'req-tree',
    'messaging.message.id': attempt.attributes['messaging.message.id'],
  })
  expect(attempt.attributes).toMatchObject({
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'nightshift.task:now.trial:nightshift.task.trial.v1',
    'messaging.message.conversation_id': 'req-tree',
  })
  expect(JSON.stringify(otlp.spans)).not.toContain('of-the-neighbour')
  // One query asks for all who wait: it is no part of the trace of the one that waits first.
  const belowWaited = otlp.spans.filter((span) => isBelow(span, waited))
  expect(belowWaited.length).toBeGreaterThan(0)
  expect(JSON.stringify(belowWaited)).not.toContain('from finished where task_id = any')
  // Nothing of the tree is anything but a part of it; what loops do is nobody's trace.
  const others = otlp.spans.filter((span) => span.parentSpanId === undefined && span.kind !== 'SERVER')
  expect(new Set(others.map(({ name }) => name))).toEqual(new Set(['accept batch', 'claim batch']))
})

test('retries and a redrive are traces of their own, linked to where the task came from and to the attempt before', async () => {
  await nightshift.startConsumer()
  const payload = { times: 3, message: 'the search does not answer' }
  const task = { name: 'trial.fail', payload, maxAttempts: 2 }
  const headers = { 'x-request-id': 'req-retry' }

  const { body } = await call(api, 'POST', '/api/v1/tasks', task, headers)
  expect((await finished(api, body.id)).status).toBe('FAILED')
  expect((await call(api, 'POST', `/api/v1/tasks/${body.id}/retry`)).status).toBe(202)
  await until(
    'the redriven attempt to end',
    async () => (await nightshift.sql('select from attempt_history where attempt = 3')).length === 1,
  )

  const accept = await otlp.span('accepting', named('accept trial.fail'))
  const attempts = await Promise.all(
    [1, 2, 3].map((n) =>
      otlp.span(`attempt ${n}`, ({ kind, attributes }) => kind === 'CONSUMER' && attributes['app.task.attempt'] === n),
    ),
  )
  const [first, second, third] = attempts as [ReceivedSpan, ReceivedSpan, ReceivedSpan]

  expect(isBelow(first, accept)).toBe(true)
  expect(first.name).toBe(PROCESS)
  expect(second.name).toBe(RETRIED)
  expect([second.parentSpanId, third.parentSpanId]).toEqual([undefined, undefined])
  expect(new Set(attempts.map(({ traceId }) => traceId)).size).toBe(3)
  expect(second.links).toEqual([placeOf(accept), placeOf(first)])
  expect(third.links).toEqual([placeOf(accept), placeOf(second)])
  for (const [index, span] of attempts.entries()) {
    expect(placeOfAttempt(body.traceId, body.id, index + 1)).toEqual(placeOf(span))
    expect(idsOf(span)).toEqual({ request: 'req-retry', id: body.id, name: 'trial.fail', attempt: index + 1 })
    expect(span.isError).toBe(true)
    expect(span.attributes['error.type']).toBe('Error')
    expect(span.attributes['app.error.fingerprint']).toMatch(/^[0-9a-f]+$/)
  }
  expect(attempts.map(({ attributes }) => attributes['app.task.next'])).toEqual(['RETRYING', 'FAILED', 'RETRYING'])
  const published = otlp.spans.filter(({ kind }) => kind === 'PRODUCER')
  expect(published.every((span) => isBelow(span, accept))).toBe(true)
  expect(published.map(({ attributes }) => attributes['app.task.attempt'])).toEqual(expect.arrayContaining([1, 2, 3]))
  expect(JSON.stringify(otlp.spans)).not.toContain(payload.message)
})

test('a batch is a root span with a link to every task in it, and each task has a tree of its own', async () => {
  const lines = Array.from({ length: 200 }, (_, n) => ({ name: 'trial.echo', payload: n }))
  const headers = { 'x-request-id': 'req-batch' }

  const { body } = await call(api, 'POST', '/api/v1/tasks/batch', lines, headers)
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:200' })
  await nightshift.untilAllFinished()

  const ofTasks = (name: string) => otlp.spans.filter((span) => span.name === name)
  await until('the spans of all tasks', () => ofTasks('settle').length === 200 && ofTasks('claim').length === 200)
  const request = await otlp.span('the request', named('POST /api/v1/tasks/batch'))
  const accepts = ofTasks('accept trial.echo')
  expect(accepts.map(({ attributes }) => attributes['app.task.id']).sort()).toEqual(
    body.map(({ id }: { id: string }) => id).sort(),
  )
  expect(accepts.every((span) => isBelow(span, request))).toBe(true)
  expect(idsOf(request)).toEqual({ request: 'req-batch', id: undefined, name: undefined, attempt: undefined })

  const sorted = (links: readonly { spanId: string }[]): string[] => links.map(({ spanId }) => spanId).sort()
  for (const [step, linked] of [
    ['accept', accepts],
    ['claim', accepts],
    ['settle', ofTasks('settle')],
  ] as const) {
    const batches = ofTasks(`${step} batch`)
    expect(sorted(batches.flatMap(({ links }) => links))).toEqual(sorted(linked))
    expect(batches.some(({ links }) => links.length > 1)).toBe(true)
    for (const batch of batches) {
      expect(batch.parentSpanId).toBeUndefined()
      expect(batch.attributes['app.batch.tasks']).toBe(batch.links.length)
      // The statement is the batch's own, and no one task's.
      const statements = otlp.spans.filter((span) => isBelow(span, batch))
      expect(statements.map(({ attributes }) => attributes['db.system.name'])).toContain('postgresql')
    }
  }
})

test('a repeat names the task that it repeats, not the one that it would have made', async () => {
  const post = (requestId: string) =>
    call(
      api,
      'POST',
      '/api/v1/tasks',
      { name: 'trial.echo', payload: 1 },
      { 'idempotency-key': 'k', 'x-request-id': requestId },
    )

  const first = await post('req-first')
  const again = await post('req-again')

  expect(again.body.id).toBe(first.body.id)
  for (const name of ['accept trial.echo', 'POST /api/v1/tasks']) {
    const span = await otlp.span(name, (each) => each.name === name && idsOf(each).request === 'req-again')
    expect(idsOf(span)).toEqual({ request: 'req-again', id: first.body.id, name: 'trial.echo', attempt: 0 })
  }
})
