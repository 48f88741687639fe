// Promise: what a handler calls makes spans in its trace when OpenTelemetry's variable names it; whatever the variable says,
// ours are made once and a message keeps the trace of its task.
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { call, finished, withNightshift } from '../support/nightshift.ts'
import { anOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'

let otlp: OtlpReceiver
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await otlp.close()
})
const nightshift = withNightshift(async () => {
  otlp = await anOtlpReceiver()
  return { env: otlp.env }
})

/** Answers every command of a Redis client with OK. */
async function aRedis() {
  const server = createServer((socket) => {
    socket.on('data', (data) => socket.write('+OK\r\n'.repeat(data.toString().match(/^\*\d+\r$/gm)?.length ?? 0)))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}

/** Runs one task whose handler calls Redis and its database, both processes with these variables. */
async function traced(env: Record<string, string>) {
  const redis = await aRedis()
  const api = await nightshift.startApi(env)
  const consumer = await nightshift.startConsumer({ ...env, NODE_OPTIONS: '--import ./test/support/redis-handler.ts' })
  const { body } = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: { port: redis.port } })
  await finished(api, body.id)
  const attempt = await otlp.span('the attempt', ({ kind }) => kind === 'CONSUMER')
  // What is below an attempt ends before it, and is sent before it or with it.
  await otlp.span('settling', ({ name, traceId }) => name === 'settle' && traceId === attempt.traceId)
  redis.close()
  const below = otlp.spans.filter(({ parentSpanId }) => parentSpanId === attempt.spanId)
  const of = (system: string) =>
    below.filter(({ attributes }) => [attributes['db.system.name'], attributes['db.system']].includes(system))
  return { api, consumer, body, attempt, below, of }
}

const NAMED = 'OTEL_NODE_ENABLED_INSTRUMENTATIONS'
const told = (log: readonly object[], variable: string) =>
  log.filter((line) => Reflect.get(line, 'variable') === variable)

test('a library is traced when it is named: its calls are below the attempt, beside those of the database', async () => {
  const { consumer, attempt, below, of } = await traced({ [NAMED]: 'ioredis' })

  expect(of('redis').map(({ name }) => name)).toContainEqual(expect.stringMatching(/set/i))
  for (const span of of('redis')) expect(span.attributes['app.request.id']).toBe(attempt.attributes['app.request.id'])
  expect(below.filter(({ attributes }) => String(attributes['db.query.text']).includes('1 + 1'))).toHaveLength(1)
  expect(told(consumer.log, NAMED)).toEqual([])
})

test('a library that is not named makes no spans', async () => {
  const { of } = await traced({})

  expect(of('redis')).toEqual([])
})

test('amqplib stays off, ours are not doubled, and unknown names are told with their variable', async () => {
  const { api, consumer, body, below } = await traced({
    [NAMED]: 'http, pg, undici, amqplib, dns, reddis',
    OTEL_NODE_DISABLED_INSTRUMENTATIONS: 'dns,mongo',
  })
  const [stored] = await nightshift.sql<{ traceparent: string }>(`select traceparent from task where id = '${body.id}'`)
  const accept = await otlp.span('accepting', ({ name }) => name === 'accept trial.echo')

  expect(otlp.spans.filter(({ name }) => name === 'POST /api/v1/tasks')).toHaveLength(1)
  expect(below.filter(({ attributes }) => String(attributes['db.query.text']).includes('1 + 1'))).toHaveLength(1)
  // amqplib's own would be a second producer, and the parent of the attempt instead of the stored context.
  expect(otlp.spans.filter(({ kind }) => kind === 'PRODUCER')).toHaveLength(1)
  expect(stored?.traceparent).toBe(`00-${accept.traceId}-${accept.spanId}-01`)
  for (const { log } of [api, consumer]) {
    expect(told(log, NAMED)).toEqual([
      expect.objectContaining({ level: 'warn', unknown: ['reddis'] }),
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('amqplib') }),
    ])
    expect(told(log, 'OTEL_NODE_DISABLED_INSTRUMENTATIONS')).toEqual([expect.objectContaining({ unknown: ['mongo'] })])
  }
})
