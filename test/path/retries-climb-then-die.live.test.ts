// Promise: a failing task climbs its ladder rung by rung, every attempt stays readable, and when the ladder ends it is
// FAILED with all that is known about why. Sent round again it can succeed, and its history goes on.
import { expect, test } from 'vitest'
import { aConversation, totalsOf } from '../support/conversations.ts'
import { call, finished, metric, submit, submitAll, withNightshift } from '../support/nightshift.ts'

// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_RETRY_LADDER: '100ms,200ms', NIGHTSHIFT_LEASE_SECONDS: '20' } })

interface AttemptJson {
  readonly attempt: number
  readonly outcome: string
  readonly startedAt: string
  readonly endedAt: string
  readonly nextAt: string | null
}

/** Milliseconds from the end of each attempt to the start of the next. */
function gaps(attempts: readonly AttemptJson[]): number[] {
  return attempts.slice(1).map(({ startedAt }, n) => Date.parse(startedAt) - Date.parse(attempts[n]?.endedAt ?? ''))
}

test('a failing task climbs 1s, 2s, 4s in order and is then FAILED, with every attempt and the error to read', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer()
  const id = await submit(api, { name: 'trial.fail-fast', payload: { times: 99, message: 'the shelf is empty' } })

  const task = await finished(api, id)

  const attempts: AttemptJson[] = task.attempts
  expect(attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([1, 2, 3, 4].map((n) => [n, 'failure']))
  for (const [n, rung] of [1_000, 2_000, 4_000].entries()) expect(gaps(attempts)[n]).toBeGreaterThanOrEqual(rung)
  const due = attempts.map(({ nextAt, endedAt }) => nextAt && Math.round(Date.parse(nextAt) - Date.parse(endedAt)))
  expect(due).toEqual([1_000, 2_000, 4_000, null])
  const { metricsPort } = await consumer.ready
  for (const rung of ['1s', '2s', '4s']) {
    expect(await metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_retries_total', { rung })).toBe(1)
  }
  const error = { name: 'Error', message: 'the shelf is empty', stack: expect.stringContaining('at failSome') }
  expect(task).toMatchObject({
    status: 'FAILED',
    failureReason: 'failures',
    attempt: 4,
    failures: 4,
    crashes: 0,
    error,
  })
  expect(await nightshift.sql('select task_id, name, reason, error, fingerprint from dead_letter')).toEqual([
    { task_id: id, name: 'trial.fail-fast', reason: 'failures', error, fingerprint: task.errorFingerprint },
  ])
  const alike = await call(api, 'GET', `/api/v1/tasks?status=FAILED&errorFingerprint=${task.errorFingerprint}`)
  expect(alike.body.items).toMatchObject([{ id }])
})

test('the commands show what died, grouped and one by one, and a dry run sends nothing', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const lost = { name: 'trial.fail', payload: { times: 99, message: 'order 1 is lost', retryable: false } }
  const alike = { name: 'trial.fail', payload: { times: 99, message: 'order 22 is lost', retryable: false } }
  const other = { name: 'trial.fail', payload: { times: 99, message: 'no such shelf', retryable: false } }
  const [one = ''] = await submitAll(api, [lost, alike, other])
  await nightshift.untilAllFinished()
  const before = await nightshift.sql('select * from dead_letter order by task_id')
  const { errorFingerprint } = (await call(api, 'GET', `/api/v1/tasks/${one}`)).body

  const grouped = await nightshift.command('dead-letters')
  const listed = await nightshift.command('dead-letters', '--list', '--fingerprint', errorFingerprint)
  const dryRun = await nightshift.command('redrive', '--dry-run', '--fingerprint', errorFingerprint)

  expect(grouped).toMatch(new RegExp(`^ +2  ${errorFingerprint}  trial.fail  NonRetryable: order (1|22) is lost$`, 'm'))
  expect(grouped).toMatch(/^ +1 {2}[0-9a-f]{16} {2}trial.fail {2}NonRetryable: no such shelf$/m)
  expect(listed).toMatch(new RegExp(`^${one} .* trial.fail  anonymous  non_retryable  ${errorFingerprint}$`, 'm'))
  expect(listed).toContain('at failSome')
  expect(listed).not.toContain('no such shelf')
  expect(dryRun).toContain('2 tasks would be sent')
  expect(await nightshift.sql('select * from dead_letter order by task_id')).toEqual(before)
  expect(await nightshift.sql('select * from operation')).toEqual([])
})

test('after the cause is repaired a redrive succeeds, by call and by command, and the history goes on', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  await nightshift.sql('alter table conversation.topic_metric rename to topic_metric_away')
  const conversations = Array.from({ length: 5 }, (_, n) => aConversation(n))
  const ids = await submitAll(
    api,
    conversations.map((payload) => ({ name: 'conversation.ended', payload })),
  )
  const unrelated = await submit(api, { name: 'trial.fail', payload: { times: 99, retryable: false } })
  await nightshift.untilAllFinished()
  expect(await nightshift.outcomes()).toEqual({ FAILED: 6 })
  await nightshift.sql('alter table conversation.topic_metric_away rename to topic_metric')
  const [first = '', ...rest] = ids

  const retried = await call(api, 'POST', `/api/v1/tasks/${first}/retry`, { reason: 'the table is back' })
  await finished(api, first)
  const said = await nightshift.command(
    'redrive',
    '--name',
    'conversation.ended',
    '--rate',
    '4',
    '--reason-text',
    'repaired',
  )
  await nightshift.untilAllFinished()

  expect(retried).toMatchObject({ status: 202, body: { id: first, status: 'PENDING' } })
  expect(said).toContain('4 tasks sent to retry')
  for (const id of ids) {
    const task = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
    expect(task).toMatchObject({ status: 'SUCCESS', attempt: 4, failures: 0, error: null, failureReason: null })
    expect(task.attempts.map(({ attempt, outcome }: AttemptJson) => [attempt, outcome])).toEqual([
      [1, 'failure'],
      [2, 'failure'],
      [3, 'failure'],
      [4, 'success'],
    ])
    expect(task.attempts[0].error.message).toContain('topic_metric')
  }
  expect(await nightshift.sql('select task_id from dead_letter')).toEqual([{ task_id: unrelated }])
  const operations = await nightshift.sql<{ task_id: string; at: Date; reason: string; action: string }>(
    'select task_id, at, action, reason from operation order by at, id',
  )
  expect(operations.map(({ task_id, action, reason }) => [task_id, action, reason]).sort()).toEqual(
    [[first, 'redrive', 'the table is back'], ...rest.map((id) => [id, 'redrive', 'repaired'])].sort(),
  )
  const [, start, , , end] = operations.map(({ at }) => at.getTime()) as [number, number, number, number, number]
  expect(end - start, 'four tasks at 4/s').toBeGreaterThanOrEqual(700)
  const [friendship] = await nightshift.sql('select score, conversations from conversation.friendship_status')
  const { score, conversations: count } = totalsOf(conversations)
  expect(friendship).toEqual({ score, conversations: count })
})

test('a retry call is refused for what is not FAILED, and leaves no trace', async () => {
  const api = await nightshift.startApi()
  const waiting = await submit(api, { name: 'trial.echo', payload: 1, delay: '1h' })

  const answers = [
    await call(api, 'POST', `/api/v1/tasks/${waiting}/retry`),
    await call(api, 'POST', '/api/v1/tasks/01890000-0000-7000-8000-000000000000/retry'),
  ]

  expect(answers.map(({ status }) => status)).toEqual([409, 404])
  expect(await nightshift.sql('select * from operation')).toEqual([])
})

const POLICIES = [
  {
    it: 'cannot be helped by repeating',
    payload: { times: 9, retryable: false },
    attempts: 1,
    reason: 'non_retryable',
  },
  { it: 'has the ladder', payload: { times: 9 }, attempts: 3, reason: 'failures' },
  { it: 'may try once', payload: { times: 9 }, maxAttempts: 1, attempts: 1, reason: 'failures' },
  { it: 'may try twice', payload: { times: 9 }, maxAttempts: 2, attempts: 2, reason: 'failures' },
  { it: 'may try oftener than it has rungs', payload: { times: 9 }, maxAttempts: 5, attempts: 5, reason: 'failures' },
]

test('a task ends when it has had its attempts, whatever its policy says', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()

  const ids = await submitAll(
    api,
    POLICIES.map(({ payload, maxAttempts }) => ({ name: 'trial.fail', payload, maxAttempts })),
  )
  await nightshift.untilAllFinished()

  for (const [n, { it, attempts, reason }] of POLICIES.entries()) {
    const task = (await call(api, 'GET', `/api/v1/tasks/${ids[n]}`)).body
    const end = { status: 'FAILED', failureReason: reason, attempt: attempts, failures: attempts }
    expect(task, it).toMatchObject(end)
    expect(task.attempts, it).toHaveLength(attempts)
  }
})

test('a payload that no longer fits its contract ends the task without running it', async () => {
  const api = await nightshift.startApi()
  const id = await submit(api, { name: 'trial.sleep', payload: { ms: 0 } })
  await nightshift.sql(`update task set payload = '{"seconds": 0}'`)
  await nightshift.startConsumer()

  const task = await finished(api, id)

  expect(task).toMatchObject({ status: 'FAILED', failureReason: 'invalid_payload', attempt: 1, result: null })
})
