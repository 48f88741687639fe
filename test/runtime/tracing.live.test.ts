// Tracing is off unless asked for, and never a reason why work is late: no endpoint loads nothing, a collector that is
// away or silent costs spans only.
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { call, submitAll, withNightshift } from '../support/nightshift.ts'
import { anOtlpReceiver } from '../support/otlp-receiver.ts'
import type { LogLine, RunningProcess } from '../support/processes.ts'

const nightshift = withNightshift()

const TASKS = Array.from({ length: 50 }, (_, n) => ({ name: 'trial.echo', payload: n }))

async function stopWell(...processes: readonly RunningProcess[]): Promise<void> {
  for (const each of processes) each.kill()
  for (const each of processes) expect(await each.exit).toEqual({ code: 0, signal: null })
}

/** Runs some tasks, then stops both processes. */
async function workAndStop(env: Record<string, string>, meanwhile?: (process: RunningProcess) => Promise<unknown>) {
  const api = await nightshift.startApi(env)
  const consumer = await nightshift.startConsumer(env)
  await submitAll(api, TASKS)
  await nightshift.untilAllFinished()
  await Promise.all([consumer, api].map(meanwhile ?? (() => undefined)))
  await stopWell(consumer, api)
  return { api, consumer }
}

test('without an endpoint nothing of OpenTelemetry is loaded, and a caller’s trace goes on all the same', async () => {
  const env = { NODE_OPTIONS: '--import ./test/support/list-loaded.ts' }
  const api = await nightshift.startApi(env)
  const consumer = await nightshift.startConsumer(env)
  const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`

  const answer = await call(api, 'POST', '/api/v1/tasks', TASKS[0], { traceparent })
  await nightshift.untilAllFinished()
  await stopWell(consumer, api)

  expect(answer.headers.get('traceparent')).toBe(traceparent)
  expect(answer.body.traceId).toBe('c'.repeat(32))
  for (const each of [consumer, api]) {
    const loaded = each.output.filter((line) => line.startsWith('loaded '))
    expect(loaded.filter((line) => line.includes('/node_modules/pg/')).length).toBeGreaterThan(0)
    // prom-client loads the api package of its own accord; it is names and no-ops.
    expect(loaded.filter((line) => /@opentelemetry\/(?!api\/)|import-in-the-middle/.test(line))).toEqual([])
  }
})

test('with a collector that never answers every task succeeds, and stopping does not wait for it', async () => {
  const silent = createServer()
  const port = await new Promise<number>((resolve) => {
    silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port))
  })
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    // Who waited for the collector would wait longer than the test.
    OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
    OTEL_BSP_EXPORT_TIMEOUT: '600000',
  }

  await workAndStop(env)
  silent.close()

  expect(await nightshift.outcomes()).toEqual({ SUCCESS: TASKS.length })
})

test('with a collector that is away every task succeeds, and the log says so once', async () => {
  const away = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '200' }
  const said = ({ msg }: LogLine): boolean => msg === 'traces are not delivered'

  const env = { ...away, OTEL_BSP_SCHEDULE_DELAY: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5' }
  const { api, consumer } = await workAndStop(env, (each) => each.waitForLog(said))

  expect(await nightshift.outcomes()).toEqual({ SUCCESS: TASKS.length })
  for (const { log } of [api, consumer]) {
    expect(log.filter(said)).toEqual([expect.objectContaining({ detail: expect.stringMatching(/./) })])
  }
})

test('what a stopping process has not sent yet is sent before it ends', async () => {
  const otlp = await anOtlpReceiver()

  await workAndStop({ ...otlp.env, OTEL_BSP_SCHEDULE_DELAY: '600000' })
  await otlp.close()

  expect(otlp.spans.filter(({ kind }) => kind === 'CONSUMER')).toHaveLength(TASKS.length)
  expect(otlp.spans.filter(({ kind }) => kind === 'PRODUCER')).toHaveLength(TASKS.length)
})

test('a sampler that takes none passes contexts on and sends nothing', async () => {
  const otlp = await anOtlpReceiver()
  const env = { ...otlp.env, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }

  await workAndStop(env)
  await otlp.close()

  expect(otlp.requests).toBe(0)
  const [stored] = await nightshift.sql<{ ids: number; ours: number }>(
    `select count(distinct trace_id)::int as ids,
            count(*) filter (where traceparent ~ ('^00-' || trace_id || '-[0-9a-f]{16}-00$'))::int as ours from task`,
  )
  expect(stored).toEqual({ ids: TASKS.length, ours: TASKS.length })
})

test('a wrong variable is told by name, and the process runs without tracing', async () => {
  const otlp = await anOtlpReceiver()

  const api = await nightshift.startApi({
    ...otlp.env,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '7',
  })
  await otlp.close()

  const line = api.log.find(({ msg }) => msg === 'tracing could not be started, it is left off')
  expect(JSON.stringify(line)).toContain('OTEL_TRACES_SAMPLER_ARG must be from 0 to 1, not \\"7\\"')
  await stopWell(api)
})
