// Promise: an unfinished task can be cancelled in every state, ends as CANCELLED at once and never runs again; what was
// running is told to stop, frees its slot and writes nothing.
import { expect, test } from 'vitest'
import { aConversation, holdUser } from '../support/conversations.ts'
import { call, finished, submit, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '10' } })

async function untilStatus(id: string, status: string): Promise<void> {
  await until(`task ${id} to be ${status}`, async () => {
    const rows = await nightshift.sql('select from unfinished where task_id = $1 and status = $2', [id, status])
    return rows.length === 1
  })
}

/** Waits until a task that is submitted now has run, and with it everything that stood before it in the queue. */
async function throughQueue(api: { readonly url: string }): Promise<void> {
  await finished(api, await submit(api, { name: 'trial.echo', payload: 'last' }), 60_000)
}

test('a task that waits is CANCELLED and never begins', async () => {
  const api = await nightshift.startApi()
  const waiting = [
    await submit(api, { name: 'trial.echo', payload: 1 }),
    await submit(api, { name: 'trial.echo', payload: 1, delay: '2s' }),
  ]

  const answers = await Promise.all(
    waiting.map((id) => call(api, 'POST', `/api/v1/tasks/${id}/cancel`, { reason: 'not needed' })),
  )
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:1' })
  await until('the outbox to be empty', async () => (await nightshift.sql('select from outbox')).length === 0, {
    withinMs: 60_000,
  })
  await throughQueue(api)

  for (const [n, id] of waiting.entries()) {
    expect(answers[n]).toMatchObject({ status: 202, body: { id, status: 'CANCELLED' } })
    const task = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
    expect(task).toMatchObject({ status: 'CANCELLED', attempt: 0, attempts: [], result: null, error: null })
  }
  const noted = await nightshift.sql<{ task_id: string }>(
    `select task_id from operation where action = 'cancel' and actor = 'anonymous' and reason = 'not needed'`,
  )
  expect(noted.map(({ task_id }) => task_id).sort()).toEqual(waiting.toSorted())
})

test('a task on a rung of its ladder is CANCELLED, and the message that comes back from the rung begins nothing', async () => {
  // Long enough to cancel it in, however busy the machine is.
  const env = { NIGHTSHIFT_RETRY_LADDER: '4s' }
  const api = await nightshift.startApi(env)
  const consumer = await nightshift.startConsumer(env)
  const id = await submit(api, { name: 'trial.fail', payload: { times: 99 } })
  await untilStatus(id, 'RETRYING')
  await until('its message to be on the rung', async () => (await nightshift.sql('select from outbox')).length === 0)

  const { status } = await call(api, 'POST', `/api/v1/tasks/${id}/cancel`)
  const { metricsPort } = await consumer.ready
  await until('the message to come back and be dropped', async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    return /^nightshift_duplicates_dropped_total 1$/m.test(text)
  })

  expect(status).toBe(202)
  const task = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
  expect(task).toMatchObject({ status: 'CANCELLED', attempts: [{ attempt: 1, outcome: 'failure' }] })
})

test('a running task is told to stop, and its only slot is free for the next', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:1' })
  const id = await submit(api, { name: 'trial.sleep', payload: { ms: 3_600_000 } })
  await untilStatus(id, 'RUNNING')

  const { status } = await call(api, 'POST', `/api/v1/tasks/${id}/cancel`)
  await throughQueue(api)

  expect(status).toBe(202)
  await consumer.waitForLog((line) => line.msg === 'attempt given up' && line.task_id === id)
  const task = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
  expect(task).toMatchObject({ status: 'CANCELLED', failures: 0, attempts: [{ attempt: 1, outcome: 'cancelled' }] })
})

test('a running task that waits for a row inside its transaction is cancelled, and nothing of it is stored', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'conversations:1' })
  const held = await holdUser(nightshift.databaseUrl)
  const id = await submit(api, { name: 'conversation.ended', payload: aConversation(1) })
  await until('its transaction to wait for the user', async () => {
    const rows = await nightshift.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return rows.length === 1
  })

  const { status } = await call(api, 'POST', `/api/v1/tasks/${id}/cancel`)
  await held.release()
  const other = await submit(api, { name: 'conversation.ended', payload: aConversation(2) })
  await finished(api, other, 60_000)

  expect(status).toBe(202)
  expect((await call(api, 'GET', `/api/v1/tasks/${id}`)).body).toMatchObject({ status: 'CANCELLED', result: null })
  expect(await nightshift.sql('select task_id from conversation.conversation')).toEqual([{ task_id: other }])
})

test('a task that has ended, or does not exist, is not cancelled and keeps its end', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const succeeded = await submit(api, { name: 'trial.echo', payload: 'kept' })
  const failed = await submit(api, { name: 'trial.fail', payload: { times: 1, retryable: false } })
  const cancelled = await submit(api, { name: 'trial.echo', payload: 1, delay: '1h' })
  await call(api, 'POST', `/api/v1/tasks/${cancelled}/cancel`)
  await nightshift.untilAllFinished()
  const before = await nightshift.sql('select * from finished order by task_id')
  const unknown = '01890000-0000-7000-8000-000000000000'

  const answers = await Promise.all(
    [succeeded, failed, cancelled, unknown].map((id) => call(api, 'POST', `/api/v1/tasks/${id}/cancel`)),
  )

  expect(answers.map(({ status, body }) => [status, body.type])).toEqual([
    [409, '/docs#problem-wrong-state'],
    [409, '/docs#problem-wrong-state'],
    [409, '/docs#problem-wrong-state'],
    [404, '/docs#problem-not-found'],
  ])
  expect(await nightshift.sql('select * from finished order by task_id')).toEqual(before)
  expect(await nightshift.sql('select task_id from operation')).toEqual([{ task_id: cancelled }])
})
