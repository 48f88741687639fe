// Promise: an attempt ends at its deadline even if its handler heeds no signal: it is charged as failed, and its slot is
// free for the next task.
import { expect, test } from 'vitest'
import { finished, submit, withNightshift } from '../support/nightshift.ts'

const env = { NIGHTSHIFT_QUEUES: 'trial:1', NIGHTSHIFT_RETRY_LADDER: '100ms' }
// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { ...env, NIGHTSHIFT_LEASE_SECONDS: '20' } })

test('a handler that would go on for an hour is failed at its deadline of a second, and the only slot is free', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const overrun = await submit(api, { name: 'trial.overrun', payload: { ms: 3_600_000 } })
  const next = await submit(api, { name: 'trial.echo', payload: 'next' })

  const task = await finished(api, overrun, 60_000)
  const after = await finished(api, next, 60_000)

  expect(task).toMatchObject({ status: 'FAILED', failureReason: 'failures', attempt: 2, failures: 2, crashes: 0 })
  for (const { outcome, error, startedAt, endedAt } of task.attempts) {
    expect({ outcome, error }).toMatchObject({
      outcome: 'failure',
      error: { message: expect.stringContaining('deadline') },
    })
    expect(Date.parse(endedAt) - Date.parse(startedAt)).toBeGreaterThanOrEqual(950)
  }
  expect(after).toMatchObject({ status: 'SUCCESS', attempt: 1 })
})
