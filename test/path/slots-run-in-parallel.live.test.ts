// Promise: slots are really parallel. Ten slow tasks with ten slots run all at once, in one consumer or in two.
import { expect, test } from 'vitest'
import { submitAll, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

const nightshift = withNightshift()

const CASES = [
  { consumers: 1, slots: 10 },
  { consumers: 2, slots: 5 },
]

test.each(CASES)('$consumers consumers of $slots slots run ten tasks at once', async ({ consumers, slots }) => {
  const api = await nightshift.startApi()
  for (let count = 0; count < consumers; count++) {
    await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: `trial:${slots}` })
  }
  await submitAll(
    api,
    Array.from({ length: 10 }, () => ({ name: 'trial.sleep', payload: { ms: 60_000 } })),
  )

  const holders = await until('ten tasks RUNNING at once', async () => {
    const rows = await nightshift.sql<{ holder: string; tasks: number }>(
      `select holder, count(*)::int as tasks from unfinished where status = 'RUNNING' group by holder`,
    )
    return rows.reduce((sum, { tasks }) => sum + tasks, 0) === 10 && rows
  })

  expect(holders.map(({ tasks }) => tasks)).toEqual(Array.from({ length: consumers }, () => slots))
})
