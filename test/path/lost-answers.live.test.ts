// Promise: an answer of PostgreSQL that is lost after the commit costs nothing: nothing is stranded or overwritten, no
// effect happens twice, no attempt is charged. What was asked is asked again, never guessed.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { aConversation, totalsOf } from '../support/conversations.ts'
import { effectsOn } from '../support/effects.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import {
  type ApiProcess,
  aNightshift,
  call,
  finished,
  metric,
  type Nightshift,
  submit,
  submitAll,
} from '../support/nightshift.ts'
import { aProxyTo, commit, done, execution } from '../support/postgres-wire.ts'
import { leftovers, type RunningProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

let nightshift: Nightshift
/** Before PostgreSQL, for the api and for the consumer. */
let toApi: FaultProxy
let toConsumer: FaultProxy
let api: ApiProcess
let consumer: RunningProcess

beforeAll(async () => {
  nightshift = await aNightshift()
  toApi = await aProxyTo(nightshift.databaseUrl)
  toConsumer = await aProxyTo(nightshift.databaseUrl)
  api = await nightshift.startApi({ DATABASE_URL: toApi.url(nightshift.databaseUrl) })
  consumer = await nightshift.startConsumer({ DATABASE_URL: toConsumer.url(nightshift.databaseUrl) })
})
afterEach(() => {
  toApi.pass()
  toConsumer.pass()
})
afterAll(async () => {
  await nightshift.remove()
  await Promise.all([toApi.stop(), toConsumer.stop()])
  expect(await leftovers()).toEqual([])
})

const conversationTask = (payload: ReturnType<typeof aConversation>) => ({ name: 'conversation.ended', payload })

async function acked(): Promise<number> {
  const { metricsPort } = await consumer.ready
  return metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_deliveries_acked_total')
}

/** The consumer is through with its wake-ups: nothing of this test meets the cuts of the next one. */
async function untilAcked(deliveries: number): Promise<void> {
  await until('every wake-up to be acknowledged', async () => (await acked()) === deliveries)
}

/** How the executions of each finished task ended, in order. */
async function histories(ids: readonly string[]) {
  return nightshift.sql<{ id: string; status: string; failures: number; crashes: number; ends: string[] }>(
    `select f.task_id as id, f.status, f.failures, f.crashes, array_agg(a.outcome order by a.attempt) as ends
       from finished f join attempt_history a using (task_id)
      where f.task_id = any($1) group by f.task_id, f.status, f.failures, f.crashes order by f.task_id`,
    [ids],
  )
}

const uncharged = { status: 'SUCCESS', failures: 0, crashes: 0 }

const CUTS = [
  { lost: 'a claim', cut: () => toConsumer.cutAfterRequest(execution('claim'), done) },
  { lost: 'a settle', cut: () => toConsumer.cutAfterRequest(execution('settle_success'), done) },
  { lost: 'a claim, and of the next one', cut: () => twice(execution('claim')) },
  { lost: 'a settle, and of the next one', cut: () => twice(execution('settle_success')) },
  { lost: 'a claim, in silence', cut: () => toConsumer.dropAnswersOnce(execution('claim')) },
  { lost: 'a settle, in silence', cut: () => toConsumer.dropAnswersOnce(execution('settle_success')) },
]

async function twice(match: (bytes: Buffer) => boolean): Promise<void> {
  await toConsumer.cutAfterRequest(match, done)
  await toConsumer.cutAfterRequest(match, done)
}

test.each(CUTS)('the answer is lost of $lost: one attempt, its result stands', async ({ lost, cut }) => {
  const ackedBefore = await acked()
  const isCut = cut()

  const id = await submit(api, { name: 'trial.echo', payload: lost })
  await isCut
  const { result } = await finished(api, id, 60_000)

  expect(result).toBe(lost)
  expect(await histories([id])).toEqual([{ id, ...uncharged, ends: ['success'] }])
  await untilAcked(ackedBefore + 1)
})

const TRANSACTION_CUTS = [
  {
    lost: 'the commit',
    userId: 'u-commit',
    cut: () => toConsumer.cutAfterRequest(commit, done),
    ends: ['success'],
  },
  {
    lost: 'the settle before the commit',
    userId: 'u-settle',
    cut: () => toConsumer.cutAfterRequest(execution('settle_success_waiting')),
    // Nothing was committed, and that was not the task's fault: it is done again, uncharged.
    ends: ['handed_back', 'success'],
  },
]

test.each(TRANSACTION_CUTS)(
  "in a task's own transaction the answer is lost of $lost",
  async ({ userId, cut, ends }) => {
    const conversation = aConversation(1, userId)
    const ackedBefore = await acked()
    const isCut = cut()

    const id = await submit(api, conversationTask(conversation))
    await isCut
    const { result } = await finished(api, id, 60_000)

    expect(result).toMatchObject({ score: totalsOf([conversation]).score })
    expect(result).not.toHaveProperty('repeated')
    expect(await histories([id])).toEqual([{ id, ...uncharged, ends }])
    expect(await effectsOn(nightshift, userId)).toEqual(totalsOf([conversation]))
    // What the consumer still asks about its lost commit must not be what the next test cuts.
    await untilAcked(ackedBefore + ends.length)
  },
)

test('an accept whose answer was lost is found again by its key, and runs once', async () => {
  const conversation = aConversation(1, 'u-accept')
  const key = { 'idempotency-key': 'once' }
  const isCut = toApi.cutAfterRequest(execution('accept_by_key'), done)

  const first = await call(api, 'POST', '/api/v1/tasks', conversationTask(conversation), key)
  await isCut
  const second = await call(api, 'POST', '/api/v1/tasks', conversationTask(conversation), key)

  const { id } = second.body
  expect(first).toMatchObject({ status: 503, body: { type: '/docs#problem-unavailable' } })
  expect(second.status).toBe(202)
  expect(await nightshift.sql(`select id from task where user_id = 'u-accept'`)).toEqual([{ id }])
  await finished(api, id, 60_000)
  expect(await histories([id])).toEqual([{ id, ...uncharged, ends: ['success'] }])
  expect(await effectsOn(nightshift, 'u-accept')).toEqual(totalsOf([conversation]))
})

test('answers are lost again and again under load: every conversation counts once, none is charged', async () => {
  const users = ['u-1', 'u-2', 'u-3']
  const conversations = Array.from({ length: 150 }, (_, n) => aConversation(n, users[n % users.length]))
  let cuts = 0
  // What is not cut by the end never will be: its promise goes with the trap.
  for (const match of [execution('claim'), execution('settle_success_waiting'), commit]) void cutOften(match, 10)

  async function cutOften(match: (bytes: Buffer) => boolean, times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      await toConsumer.cutAfterRequest(match)
      cuts += 1
    }
  }

  const ids = await submitAll(api, conversations.map(conversationTask))
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(cuts).toBeGreaterThan(10)
  const ended = await histories(ids)
  expect(ended.map(({ id }) => id)).toEqual(ids.toSorted())
  for (const { ends, id, ...rest } of ended) {
    expect(rest).toEqual(uncharged)
    expect(ends.join(' '), id).toMatch(/^(?:handed_back )*success$/)
  }
  for (const user of users) {
    const own = conversations.filter(({ user_id }) => user_id === user)
    expect(await effectsOn(nightshift, user)).toEqual(totalsOf(own))
  }
})
