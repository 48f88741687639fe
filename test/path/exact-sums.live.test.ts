// Promise: effects once. However many events of one user run at once, wherever and however often they are posted, the
// sums are exact; and waiting for that user's row costs neither a lease nor an attempt.
import { expect, test } from 'vitest'
import type { ConversationPayload } from '../../packs/conversation/src/contract.ts'
import { aConversation, holdUser, totalsOf } from '../support/conversations.ts'
import { call, metric, submitAll, withNightshift } from '../support/nightshift.ts'
import { until } from '../support/until.ts'

// A lease that is long, so that none is lost on a busy machine; the test that waits for leases sets its own.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })

const tasksOf = (conversations: readonly ConversationPayload[]) =>
  conversations.map((payload) => ({ name: 'conversation.ended', payload }))

/** How many attempts each consumer runs now, the busiest first. */
async function runningByHolder(): Promise<number[]> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from unfinished where status = 'RUNNING' group by holder order by 1 desc`,
  )
  return rows.map(({ tasks }) => tasks)
}

/** What is stored of user u-1, in the shape of `totalsOf`. */
async function storedTotals() {
  const [friendship] = await nightshift.sql(`select score, status, conversations from conversation.friendship_status`)
  const topics = await nightshift.sql<{ topic: string; mentions: number }>(
    'select topic, mentions from conversation.topic_metric',
  )
  return { ...friendship, topics: Object.fromEntries(topics.map(({ topic, mentions }) => [topic, mentions])) }
}

test('ten events of one user, posted twice each by both routes and run by two consumers at once, add up', async () => {
  const api = await nightshift.startApi()
  for (let count = 0; count < 2; count++) await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'conversations:5' })
  const conversations = Array.from({ length: 10 }, (_, n) => aConversation(n))
  const held = await holdUser(nightshift.databaseUrl)

  const answers = await Promise.all(
    conversations.map((payload) =>
      Promise.all([
        call(api, 'POST', '/api/v1/tasks', { name: 'conversation.ended', payload }),
        call(api, 'POST', '/api/v1/conversations/end', payload),
      ]),
    ),
  )
  await until(
    'both consumers to wait for the user with all their slots',
    async () => (await runningByHolder()).join() === '5,5',
    { withinMs: 25_000 },
  )
  await held.release()
  await nightshift.untilAllFinished()

  expect(answers.flat().map(({ status }) => status)).toEqual(Array(20).fill(202))
  for (const [first, second] of answers) expect(first.body.id).toBe(second.body.id)
  expect(await storedTotals()).toEqual(totalsOf(conversations))
  const counted = await nightshift.sql<{ id: string; task_id: string }>(
    'select id, task_id from conversation.conversation',
  )
  expect(new Map(counted.map((row) => [row.id, row.task_id]))).toEqual(
    new Map(answers.map(([{ body }], n) => [conversations[n]?.conversation_id, body.id])),
  )
  const ends = await nightshift.sql('select status, attempt, failures, crashes from finished')
  expect(ends).toEqual(Array(10).fill({ status: 'SUCCESS', attempt: 1, failures: 0, crashes: 0 }))
})

test('more events than connections wait for their user longer than leases last, and no lease is lost', async () => {
  const env = { NIGHTSHIFT_LEASE_SECONDS: '4', NIGHTSHIFT_DB_POOL: '3', NIGHTSHIFT_QUEUES: 'conversations:12' }
  const api = await nightshift.startApi(env)
  const consumer = await nightshift.startConsumer(env)
  const conversations = Array.from({ length: 12 }, (_, n) => aConversation(n))
  const held = await holdUser(nightshift.databaseUrl)
  await submitAll(api, tasksOf(conversations))
  await until('every connection for transactions to wait for the user', async () => {
    const waiting = await nightshift.sql(
      `select from pg_stat_activity
        where datname = current_database() and application_name like '%effects' and wait_event_type = 'Lock'`,
    )
    return waiting.length === 3 && (await runningByHolder()).join() === '12'
  })

  await until('three lease lengths to pass, or the lease to end', async () => {
    const [age] = await nightshift.sql<{ waited: number; ended: boolean }>(
      `select extract(epoch from clock_timestamp() - min(u.started_at))::float8 as waited,
              bool_or(c.ended_at is not null) as ended
         from unfinished u, consumer c`,
    )
    return age && (age.waited > 12 || age.ended || age.waited === null)
  })
  await held.release()
  await nightshift.untilAllFinished()

  const { metricsPort } = await consumer.ready
  expect(await metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_leases_lost_total')).toBe(0)
  expect(await nightshift.sql('select id from consumer')).toHaveLength(1)
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total', { cause: 'dead_consumer' })).toBe(0)
  const ends = await nightshift.sql('select status, attempt, failures, crashes from finished')
  expect(ends).toEqual(Array(12).fill({ status: 'SUCCESS', attempt: 1, failures: 0, crashes: 0 }))
  expect(await storedTotals()).toEqual(totalsOf(conversations))
})
