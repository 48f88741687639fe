// Promise: a task with a time starts when it is due and not before, by the database's clock, whether the client or its
// handler asked for it; and one that has not begun when it expires ends as FAILED, even if nothing runs tasks at all.
import { expect, test } from 'vitest'
import { call, finished, submit, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })

/** Seconds from accepted to each start, by the database. */
async function startsOf(id: string): Promise<number[]> {
  const rows = await nightshift.sql<{ after: number }>(
    `select extract(epoch from a.started_at - t.created_at)::float8 as after
       from task t join attempt_history a on a.task_id = t.id where t.id = $1 order by a.attempt`,
    [id],
  )
  return rows.map(({ after }) => after)
}

async function databaseTime(): Promise<number> {
  const [row] = await nightshift.sql<{ now: Date }>('select clock_timestamp() as now')
  return row?.now.getTime() as number
}

test('tasks with a delay or a moment start in the order in which they are due, none before its time', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const moment = new Date((await databaseTime()) + 6_000)
  const echo = { name: 'trial.echo', payload: 1 }

  const far = await submit(api, { ...echo, delay: '1h' })
  const late = await submit(api, { ...echo, runAt: moment.toISOString() })
  const waiting = (await call(api, 'GET', `/api/v1/tasks/${late}`)).body
  const now = await submit(api, { ...echo, runAt: '2020-01-31T09:00:00+01:00' })
  const soon = await submit(api, { ...echo, delay: '2s' })
  await until('the three that become due to finish', async () => (await nightshift.outcomes()).SUCCESS === 3, {
    withinMs: 60_000,
  })

  expect(waiting).toMatchObject({ status: 'PENDING', attempt: 0, dueAt: moment.toISOString() })
  const begun = await nightshift.sql<{ task_id: string; started_at: Date }>(
    'select task_id, started_at from attempt_history order by started_at',
  )
  expect(begun.map(({ task_id }) => task_id)).toEqual([now, soon, late])
  expect((await startsOf(soon))[0]).toBeGreaterThanOrEqual(2)
  expect(begun[2]?.started_at.getTime()).toBeGreaterThanOrEqual(moment.getTime())
  expect((await call(api, 'GET', `/api/v1/tasks/${far}`)).body).toMatchObject({ status: 'PENDING', attempt: 0 })
})

test('a delayed task whose api has gone is started by the next one', async () => {
  const first = await nightshift.startApi()
  const id = await submit(first, { name: 'trial.echo', payload: 1, delay: '2s' })
  first.kill('SIGKILL')
  await first.exit
  const next = await nightshift.startApi()
  await nightshift.startConsumer()

  const task = await finished(next, id, 60_000)

  expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect((await startsOf(id))[0]).toBeGreaterThanOrEqual(2)
})

test("a handler's not-before is kept, whatever the ladder says", async () => {
  const api = await nightshift.startApi({ NIGHTSHIFT_RETRY_LADDER: '100ms' })
  await nightshift.startConsumer({ NIGHTSHIFT_RETRY_LADDER: '100ms' })
  const id = await submit(api, { name: 'trial.fail', payload: { times: 1, notBefore: '3s' } })

  const task = await finished(api, id, 60_000)

  expect(task).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 1 })
  const [first, second] = task.attempts
  expect(Date.parse(first.nextAt) - Date.parse(first.endedAt)).toBeGreaterThanOrEqual(2_999)
  expect(Date.parse(second.startedAt)).toBeGreaterThanOrEqual(Date.parse(first.nextAt))
})

const EXPIRED = { status: 'FAILED', failureReason: 'expired', errorFingerprint: 'expired' }

test('without any consumer a task expires, at once due or delayed, and a later consumer finds nothing to run', async () => {
  const api = await nightshift.startApi()
  const echo = { name: 'trial.echo', payload: 1 }
  const due = await submit(api, { ...echo, expiresAfter: '1s' })
  const delayed = await submit(api, { ...echo, delay: '1s', expiresAfter: '2s' })
  const patient = await submit(api, { ...echo, expiresAfter: '1h' })

  for (const id of [due, delayed]) {
    expect(await finished(api, id, 60_000)).toMatchObject({ ...EXPIRED, attempt: 0, failures: 0, attempts: [] })
  }
  await nightshift.startConsumer()
  await finished(api, patient, 60_000)

  const letters = await nightshift.sql<{ task_id: string }>(
    `select d.task_id from dead_letter d join task t on t.id = d.task_id
      where d.reason = 'expired' and d.failed_at >= t.expires_at order by d.task_id`,
  )
  expect(letters.map(({ task_id }) => task_id)).toEqual([due, delayed].sort())
  expect(await nightshift.sql('select task_id from attempt_history')).toEqual([{ task_id: patient }])
})

test('a task expires behind a busy slot and on a long wait for its retry, but not while it runs', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:1' })
  const retrying = await submit(api, {
    name: 'trial.fail',
    payload: { times: 1, notBefore: '1h' },
    expiresAfter: '8s',
  })
  await until('its first failure', async () => (await startsOf(retrying)).length === 1)
  const running = await submit(api, { name: 'trial.sleep', payload: { ms: 9_000 }, expiresAfter: '8s' })
  await until('the slot to be taken', async () => {
    const rows = await nightshift.sql(`select from unfinished where task_id = $1 and status = 'RUNNING'`, [running])
    return rows.length === 1
  })
  const behind = await submit(api, { name: 'trial.echo', payload: 1, expiresAfter: '1s' })

  const [ended, alsoEnded, ran] = await Promise.all([behind, retrying, running].map((id) => finished(api, id, 60_000)))

  expect(ended).toMatchObject({ ...EXPIRED, attempts: [] })
  expect(alsoEnded).toMatchObject({ ...EXPIRED, attempt: 1, failures: 1, attempts: [{ outcome: 'failure' }] })
  expect(ran).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(Date.parse(ran.finishedAt)).toBeGreaterThan(Date.parse(ran.expiresAt))
})
