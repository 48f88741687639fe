// What /metrics answers: OpenMetrics with exemplars to who asks for it, the classic text to everybody else.
import { expect, test } from 'vitest'
import { exposition } from '../../src/runtime/instruments.ts'
import { metrics } from '../../src/runtime/metrics.ts'

const SAMPLED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
const NOT_SAMPLED = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`
/** As Prometheus asks: https://github.com/prometheus/prometheus/blob/v2.42.0/scrape/scrape.go */
const ACCEPT = 'application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

const linesWith = (body: string, part: string) => body.split('\n').filter((line) => line.includes(part))

test('a timing shows the trace of a sampled request as an exemplar, in OpenMetrics only', async () => {
  metrics.queueWaitSeconds.observe({ queue: 'one' }, 0.02, SAMPLED)

  const open = await exposition(ACCEPT)
  const classic = await exposition('text/plain')

  expect(open.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(open.body).toMatch(/_bucket\{le="0.05",queue="one"\} 1 # \{trace_id="a{32}"\} 0.02 \d+/)
  expect(open.body.endsWith('# EOF\n')).toBe(true)
  expect(classic.type).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(classic.body).toMatch(/_bucket\{le="0.05",queue="one"\} 1\n/)
  expect(classic.body).not.toMatch(/trace_id|EOF/)
})

test('a trace that nobody keeps is no exemplar', async () => {
  metrics.queueWaitSeconds.observe({ queue: 'two' }, 0.02, NOT_SAMPLED)
  metrics.queueWaitSeconds.observe({ queue: 'two' }, 0.02)

  const { body } = await exposition(ACCEPT)

  expect(linesWith(body, 'queue="two"').length).toBeGreaterThan(0)
  expect(linesWith(body, 'queue="two"').filter((line) => line.includes('#'))).toEqual([])
})

test('a counter has one name in both formats, whichever was asked for first', async () => {
  metrics.leasesLost.inc()

  for (const accept of [ACCEPT, undefined, ACCEPT]) {
    const { body } = await exposition(accept)
    expect(linesWith(body, 'nightshift_leases_lost_total 1')).toHaveLength(1)
  }
  expect((await exposition(undefined)).body).toContain('# TYPE nightshift_leases_lost_total counter\n')
  expect((await exposition(ACCEPT)).body).toContain('# TYPE nightshift_leases_lost counter\n')
})

test('a gauge that this process never sets, or no longer does, has no value', async () => {
  expect((await exposition(undefined)).body).not.toMatch(/^nightshift_outbox_rows /m)

  metrics.outboxRows.set(3)
  expect((await exposition(undefined)).body).toMatch(/^nightshift_outbox_rows 3$/m)

  metrics.outboxRows.remove()
  expect((await exposition(undefined)).body).not.toMatch(/^nightshift_outbox_rows /m)
})

test('each help text says what to do, and no name of ours is free of the prefix', async () => {
  const { body } = await exposition(undefined)
  const helps = [...body.matchAll(/^# HELP nightshift_\S+ (.+)$/gm)].map(([, help]) => help as string)

  expect(helps.length).toBeGreaterThan(30)
  expect(helps.filter((help) => !/^[A-Z0-9].*[.:] .+\.$/.test(help))).toEqual([])
})
