// Promise: whatever process is killed with SIGKILL, and whenever, every accepted task finishes and its effects are
// applied once. A proxy holds the process at an exact point of its conversation with PostgreSQL or RabbitMQ.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { aConversation, holdUser, totalsOf } from '../support/conversations.ts'
import { effectsOn } from '../support/effects.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { call, metric, submit, withNightshift } from '../support/nightshift.ts'
import { aProxyTo, commit, execution } from '../support/postgres-wire.ts'
import type { RunningProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

const CONVERSATION = { name: 'conversation.ended', payload: aConversation(1) }
const KEY = { 'idempotency-key': 'once' }

let database: FaultProxy
let broker: FaultProxy

// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await database.stop()
  await broker.stop()
})
const nightshift = withNightshift()
beforeEach(async () => {
  database = await aProxyTo(nightshift.databaseUrl)
  broker = await aProxyTo(nightshift.amqpUrl)
})

const throughProxies = () => ({
  DATABASE_URL: database.url(nightshift.databaseUrl),
  AMQP_URL: broker.url(nightshift.amqpUrl),
})

async function kill(victim: RunningProcess): Promise<void> {
  victim.kill('SIGKILL')
  await victim.exit
}

/** How often the task was executed, and how each execution ended. */
async function history(): Promise<string[]> {
  const rows = await nightshift.sql<{ outcome: string }>('select outcome from attempt_history order by attempt')
  return rows.map(({ outcome }) => outcome)
}

const tasks = () => nightshift.sql<{ id: string }>('select id from task')

/** The one task has succeeded, was never charged, changed what it should, and nothing is left to travel. */
async function expectOneSuccess(): Promise<void> {
  await nightshift.untilAllFinished()
  expect(await nightshift.sql('select status, failures from finished')).toEqual([{ status: 'SUCCESS', failures: 0 }])
  expect(await tasks()).toHaveLength(1)
  expect(await effectsOn(nightshift)).toEqual(totalsOf([CONVERSATION.payload]))
}

async function duplicatesDroppedBy(consumer: RunningProcess): Promise<number> {
  const { metricsPort } = await consumer.ready
  return metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_duplicates_dropped_total')
}

describe('the api', () => {
  /** `point` says how to stop the api there, and resolves when it has got so far. */
  const POINTS = [
    {
      when: 'before the commit',
      point: () => database.holdRequest(execution('accept_by_key')).reached,
      isAnswered: false,
      isCommitted: false,
    },
    {
      when: 'after the commit, before the answer',
      point: async () => {
        await database.dropAnswersOnce(execution('accept_by_key'))
        await until('the commit', async () => (await tasks()).length === 1)
      },
      isAnswered: false,
      isCommitted: true,
    },
    {
      when: 'after the answer, before the publish',
      point: async () => broker.blackhole('up'),
      isAnswered: true,
      isCommitted: true,
    },
    {
      when: 'after the publish, before the outbox row is settled',
      point: () => database.holdRequest(execution('settle_outbox')).reached,
      isAnswered: true,
      isCommitted: true,
    },
  ]

  test.each(POINTS)('killed $when', async ({ point, isAnswered, isCommitted }) => {
    const victim = await nightshift.startApi(throughProxies())
    const consumer = await nightshift.startConsumer()
    const there = point()

    const answer = call(victim, 'POST', '/api/v1/tasks', CONVERSATION, KEY).catch(() => undefined)
    if (isAnswered) expect(await answer).toMatchObject({ status: 202 })
    await there
    await kill(victim)

    expect((await answer)?.status).toBe(isAnswered ? 202 : undefined)
    expect(await tasks()).toHaveLength(isCommitted ? 1 : 0)
    const api = await nightshift.startApi()
    if (!isAnswered) await submit(api, CONVERSATION, KEY)
    await runOutClaims()
    await expectOneSuccess()
    expect(await history()).toEqual(['success'])
    await until('the outbox to be empty', async () => (await nightshift.sql('select from outbox')).length === 0)
    await consumer.waitForLog(({ msg }) => msg === 'attempt settled')
    expect(consumer.log.filter(({ msg }) => msg === 'attempt settled')).toHaveLength(1)
  })

  /** What a dead api had claimed is free after 10 s at most: as if they had passed. */
  async function runOutClaims(): Promise<void> {
    await nightshift.sql(
      `update outbox set claimed_until = '-infinity' where claimed_until <= clock_timestamp() + interval '10 s'`,
    )
  }
})

describe('a consumer', () => {
  interface Point {
    readonly when: string
    /** As above; what it resolves with is called after the kill. */
    readonly point: () => Promise<void | (() => Promise<void>)>
    readonly ends: readonly string[]
    /** The broker's redelivery is then a wake-up for what has begun already. */
    readonly hadBegun: boolean
  }

  const POINTS: Point[] = [
    {
      when: 'before the claim',
      point: () => database.holdRequest(execution('claim')).reached,
      ends: ['success'],
      hadBegun: false,
    },
    {
      when: 'after the claim, before the handler',
      point: async () => {
        await database.dropAnswersOnce(execution('claim'))
        const running = `select from unfinished where status = 'RUNNING'`
        await until('the claim', async () => (await nightshift.sql(running)).length === 1)
      },
      ends: ['crash', 'success'],
      hadBegun: true,
    },
    {
      when: 'during the handler',
      point: async () => {
        const user = await holdUser(nightshift.databaseUrl)
        const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        await until('the handler to wait for the row', async () => (await nightshift.sql(waiting)).length === 1)
        return user.release
      },
      ends: ['crash', 'success'],
      hadBegun: true,
    },
    {
      when: 'before the commit of its transaction',
      point: () => database.holdRequest(commit).reached,
      ends: ['crash', 'success'],
      hadBegun: true,
    },
    {
      when: 'after the commit, before the ack',
      point: async () => {
        broker.blackhole('up')
        await until('the commit', async () => (await nightshift.sql('select from finished')).length === 1)
      },
      ends: ['success'],
      hadBegun: true,
    },
  ]

  test.each(POINTS)('killed $when', async ({ point, ends, hadBegun }) => {
    const api = await nightshift.startApi()
    const victim = await nightshift.startConsumer(throughProxies())
    const there = point()

    await submit(api, CONVERSATION)
    const release = await there
    await kill(victim)
    await release?.()

    const survivor = await nightshift.startConsumer()
    await expectOneSuccess()
    expect(await history()).toEqual(ends)
    if (hadBegun) await until('the redelivery to be dropped', async () => (await duplicatesDroppedBy(survivor)) >= 1)
  })
})
