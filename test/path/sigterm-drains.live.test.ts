// Promise: nothing is lost and nothing is charged for our own restarts. A process that is told to stop under load
// finishes what fits in its grace period, hands the rest back, and exits with 0.
import { expect, test } from 'vitest'
import type { ConversationPayload } from '../../packs/conversation/src/contract.ts'
import { aConversation, holdUser, totalsOf } from '../support/conversations.ts'
import { type ApiProcess, call, metric, submit, submitAll, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })

const STOPPED = { code: 0, signal: null }

/** Waits until so many tasks have succeeded. */
async function untilSucceeded(tasks: number): Promise<void> {
  await until(`${tasks} tasks to succeed`, async () => ((await nightshift.outcomes()).SUCCESS ?? 0) >= tasks, {
    withinMs: 90_000,
  })
}

/** Checks each accepted task on its own: it succeeded, and none of its attempts was charged or died. */
async function expectAllSucceededUncharged(ids: readonly string[]): Promise<void> {
  const rows = await nightshift.sql<{ task_id: string }>(
    `select task_id from finished where status = 'SUCCESS' and failures = 0 and crashes = 0`,
  )
  expect(rows.map((row) => row.task_id).sort()).toEqual(ids.toSorted())
  const others = await nightshift.sql(`select * from attempt_history where outcome not in ('success', 'handed_back')`)
  expect(others).toEqual([])
}

async function expectCountedOnce(conversations: readonly ConversationPayload[]): Promise<void> {
  const stored = await nightshift.sql(
    'select user_id, score, conversations from conversation.friendship_status order by user_id',
  )
  const byUser = Map.groupBy(conversations, (each) => each.user_id)
  const expected = [...byUser].map(([user, own]) => {
    const { score, conversations: count } = totalsOf(own)
    return { user_id: user, score, conversations: count }
  })
  expect(stored).toEqual(expected.sort((a, b) => (a.user_id < b.user_id ? -1 : 1)))
}

test('consumers come and go under load, and every task succeeds uncharged and counts once', async () => {
  const api = await nightshift.startApi()
  const conversations = Array.from({ length: 600 }, (_, n) => aConversation(n, `u-${n % 7}`))
  const sleeps = Array.from({ length: 150 }, () => ({ name: 'trial.sleep', payload: { ms: 100 } }))
  let old = await nightshift.startConsumer()

  const submitted = submitAll(api, [
    ...conversations.map((payload) => ({ name: 'conversation.ended', payload })),
    ...sleeps,
  ])
  const exits: unknown[] = []
  for (const done of [30, 150, 300, 450]) {
    await untilSucceeded(done)
    // The next one works beside it while the old one leaves.
    const next = await nightshift.startConsumer()
    old.kill('SIGTERM')
    exits.push(await old.exit)
    old = next
  }
  const ids = await submitted
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(exits).toEqual([STOPPED, STOPPED, STOPPED, STOPPED])
  await expectAllSucceededUncharged(ids)
  await expectCountedOnce(conversations)
})

test('the only consumer stops and starts again under load, and nothing is lost or charged', async () => {
  const api = await nightshift.startApi()
  const conversations = Array.from({ length: 400 }, (_, n) => aConversation(n, `u-${n % 3}`))
  const first = await nightshift.startConsumer()
  const submitted = submitAll(
    api,
    conversations.map((payload) => ({ name: 'conversation.ended', payload })),
  )
  await untilSucceeded(20)

  first.kill('SIGTERM')
  const exit = await first.exit
  const left = await nightshift.sql(`select from unfinished where status = 'RUNNING'`)
  await nightshift.startConsumer()
  const ids = await submitted
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(exit).toEqual(STOPPED)
  expect(left, 'tasks that a stopped consumer still runs').toEqual([])
  await expectAllSucceededUncharged(ids)
  await expectCountedOnce(conversations)
})

test('a second SIGTERM changes nothing', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer()
  const id = await submit(api, { name: 'trial.sleep', payload: { ms: 1_000 } })
  await until('it to run', async () => (await nightshift.sql(`select from unfinished where status = 'RUNNING'`)).length)

  consumer.kill('SIGTERM')
  consumer.kill('SIGTERM')

  expect(await consumer.exit).toEqual(STOPPED)
  await nightshift.startConsumer()
  await nightshift.untilAllFinished()
  await expectAllSucceededUncharged([id])
})

test('an api stops under load: what it accepted it answered, and every 202 is kept', async () => {
  const leaving = await nightshift.startApi()
  await nightshift.startApi()
  await nightshift.startConsumer()
  const answers: { status: number; id: string }[] = []
  const load = submitUntilGone(leaving, answers)
  await until('the load to be under way', () => answers.length >= 200)

  leaving.kill('SIGTERM')
  const exit = await leaving.exit
  await load
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(exit).toEqual(STOPPED)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  await expectAllSucceededUncharged(answers.map(({ id }) => id))
})

/** Eight clients, each submitting one task after another until the api takes no more connections. */
async function submitUntilGone(api: ApiProcess, answers: { status: number; id: string }[]): Promise<void> {
  const client = async (): Promise<void> => {
    for (;;) {
      const answer = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: 1 }).catch(() => undefined)
      if (!answer) return
      answers.push({ status: answer.status, id: answer.body.id })
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
}

test.each([
  { what: 'sleep', task: { name: 'trial.sleep', payload: { ms: 3_600_000 } } },
  { what: 'wait for a row in their transaction', task: { name: 'conversation.ended', payload: aConversation(1) } },
])(
  'tasks that $what for longer than the grace period are handed back, and the next consumer runs them',
  async ({ task }) => {
    const api = await nightshift.startApi()
    const first = await nightshift.startConsumer({ NIGHTSHIFT_DRAIN_GRACE_SECONDS: '1' })
    const held = await holdUser(nightshift.databaseUrl)
    const id = await submit(api, task)
    await untilRunning(id, 1)

    first.kill('SIGTERM')
    const exit = await first.exit
    const between = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
    const second = await nightshift.startConsumer()
    await untilRunning(id, 2)
    const { metricsPort } = await second.ready
    const copies = await metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_duplicates_dropped_total')
    const after = (await call(api, 'GET', `/api/v1/tasks/${id}`)).body
    await call(api, 'POST', `/api/v1/tasks/${id}/cancel`)
    await held.release()

    expect(exit).toEqual(STOPPED)
    const history = [{ attempt: 1, outcome: 'handed_back', error: null, nextAt: expect.any(String) }]
    expect(between).toMatchObject({ status: 'PENDING', attempt: 1, failures: 0, crashes: 0, attempts: history })
    expect(copies, 'wake-ups that the first consumer had not acknowledged').toBe(0)
    expect(after).toMatchObject({ status: 'RUNNING', attempt: 2, failures: 0, crashes: 0, attempts: history })
    expect(await nightshift.sql('select id from conversation.conversation')).toEqual([])
  },
)

async function untilRunning(id: string, attempt: number): Promise<void> {
  await until(`attempt ${attempt} of ${id} to run`, async () => {
    const rows = await nightshift.sql(
      `select from unfinished where task_id = $1 and attempt = $2 and status = 'RUNNING'`,
      [id, attempt],
    )
    return rows.length === 1
  })
}
