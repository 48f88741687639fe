// Promise: what is counted by plain numbers is what Prometheus reads: totals by label, cumulated buckets, sum and count.
import { expect, test } from 'vitest'
import { Count, Timing } from '../../src/runtime/counting.ts'

const valuesOf = async (metric: Count<string> | Timing<string>) =>
  Object.fromEntries(
    (await metric.get()).values.map(({ metricName = metric.name, labels, value }) => [
      `${metricName}${JSON.stringify(labels)}`,
      value,
    ]),
  )

test('a counter without labels begins at 0; one with labels appears when it is counted, by 0 too', async () => {
  expect(await valuesOf(new Count('plain', 'help', []))).toEqual({ 'plain{}': 0 })

  const byQueue = new Count('by', 'help', ['queue', 'task'])
  expect(await valuesOf(byQueue)).toEqual({})
  byQueue.inc({ queue: 'a', task: 'b' }, 0)
  byQueue.inc({ queue: 'a', task: 'c' }, 5)
  byQueue.inc({ task: 'c', queue: 'a' })
  expect(await valuesOf(byQueue)).toEqual({ 'by{"queue":"a","task":"b"}': 0, 'by{"queue":"a","task":"c"}': 6 })
})

test('labels are kept apart wherever one ends and the next begins', async () => {
  const count = new Count('apart', 'help', ['one', 'two'])
  count.inc({ one: 'ab', two: 'c' })
  count.inc({ one: 'a', two: 'bc' })
  expect(Object.values(await valuesOf(count))).toEqual([1, 1])
})

test('a bucket counts what is at most its bound, and all that is below it', async () => {
  const timing = new Timing('took', 'help', [0.1, 1], [])
  for (const value of [0.05, 0.1, 0.2, 1, 7]) timing.observe({}, value)
  expect(await valuesOf(timing)).toEqual({
    'took_bucket{"le":0.1}': 2,
    'took_bucket{"le":1}': 4,
    'took_bucket{"le":"+Inf"}': 5,
    'took_sum{}': 8.35,
    'took_count{}': 5,
  })
})

test('a caller that reuses its labels object does not rename what it counted', async () => {
  const count = new Count('kept', 'help', ['queue'])
  const labels = { queue: 'first' }
  count.inc(labels)
  labels.queue = 'second'
  expect(await valuesOf(count)).toEqual({ 'kept{"queue":"first"}': 1 })
})
