// Promise: a consumer that was frozen for longer than its lease wakes up fenced. What it still writes changes nothing,
// the result of the consumer that took its work over stands, and it goes on working under a new life.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { aConversation, holdUser, totalsOf } from '../support/conversations.ts'
import { effectsOn } from '../support/effects.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { type ApiProcess, finished, submit, withNightshift } from '../support/nightshift.ts'
import { aProxyTo, commit, execution } from '../support/postgres-wire.ts'
import type { RunningProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

const CONVERSATION = aConversation(1)
const TASK = { name: 'conversation.ended', payload: CONVERSATION }

/** Before PostgreSQL, for the one that is frozen and for the other. */
let proxy: FaultProxy
let toOther: FaultProxy
let api: ApiProcess
let frozen: RunningProcess

// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await Promise.all([proxy.stop(), toOther.stop()])
})
const nightshift = withNightshift()
beforeEach(async () => {
  proxy = await aProxyTo(nightshift.databaseUrl)
  toOther = await aProxyTo(nightshift.databaseUrl)
  api = await nightshift.startApi()
  frozen = await nightshift.startConsumer({
    NIGHTSHIFT_CONSUMER_NAME: 'frozen',
    DATABASE_URL: proxy.url(nightshift.databaseUrl),
  })
})

/** The lives of a consumer process, the first one first. */
async function livesOf(name: string): Promise<string[]> {
  const rows = await nightshift.sql<{ id: string }>('select id from consumer where name = $1 order by started_at', [
    name,
  ])
  return rows.map(({ id }) => id)
}

/** Waits until that many of this database's sessions are as `condition` says. */
async function untilSessions(what: string, condition: string, sessions = 1): Promise<void> {
  const text = `select from pg_stat_activity where datname = current_database() and ${condition}`
  await until(what, async () => (await nightshift.sql(text)).length === sessions)
}

const WAITING = `wait_event_type = 'Lock'`
/** The fenced statement that ends an attempt was the last one. */
const SETTLE = `query like '%soon as materialized%moved as materialized%'`

async function untilLeaseRunsOut(life: string): Promise<void> {
  const over = 'select from consumer where id = $1 and ended_at is not null'
  await until('the lease to run out', async () => (await nightshift.sql(over, [life])).length === 1)
}

const running = (id: string) =>
  nightshift.sql(`select attempt, holder from unfinished where task_id = $1 and status = 'RUNNING'`, [id])

const executions = (id: string) =>
  nightshift.sql('select consumer, outcome from attempt_history where task_id = $1 order by attempt', [id])

async function startOther(): Promise<string> {
  const DATABASE_URL = toOther.url(nightshift.databaseUrl)
  await nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: 'other', DATABASE_URL })
  const [other] = await livesOf('other')
  return other as string
}

/** Starts another consumer and waits until it has begun the second attempt. */
async function anotherTakesOver(id: string): Promise<string> {
  const other = await startOther()
  await until('the other consumer to begin attempt 2', async () => {
    const [row] = await running(id)
    return row?.attempt === 2 && row.holder === other
  })
  return other
}

/** The task was counted once, and its history is these executions. */
async function expectOnce(id: string, history: readonly { consumer: string; outcome: string }[]): Promise<void> {
  const { result, attempt, failures } = await finished(api, id, 60_000)

  expect({ attempt, failures }).toEqual({ attempt: history.length, failures: 0 })
  expect(result).toMatchObject({ score: totalsOf([CONVERSATION]).score })
  expect(result).not.toHaveProperty('repeated')
  expect(await executions(id)).toEqual(history)
  expect(await effectsOn(nightshift)).toEqual(totalsOf([CONVERSATION]))
}

test('frozen while it waits inside its transaction: fenced, the other result stands', async () => {
  const [first] = (await livesOf('frozen')) as [string]
  const user = await holdUser(nightshift.databaseUrl)
  const id = await submit(api, TASK)
  await untilSessions('the handler to wait for the user', WAITING)

  frozen.kill('SIGSTOP')
  const other = await anotherTakesOver(id)
  await untilSessions('the other to wait for the first', WAITING, 2)
  await user.release()
  await untilSessions('the answer to come to the frozen one', WAITING, 1)
  frozen.kill('SIGCONT')

  await expectOnce(id, [
    { consumer: first, outcome: 'crash' },
    { consumer: other, outcome: 'success' },
  ])
  await frozen.waitForLog(({ msg }) => msg === 'lease lost')
})

test('its settle, which commits by itself, comes after the other began: it changes nothing', async () => {
  const [first] = (await livesOf('frozen')) as [string]
  const held = proxy.holdRequest(execution('settle_success'))
  const id = await submit(api, { name: 'trial.echo', payload: 'hello' })
  await held.reached

  frozen.kill('SIGSTOP')
  const heldOther = toOther.holdRequest(execution('settle_success'))
  const other = await anotherTakesOver(id)
  await heldOther.reached
  held.release()
  await untilSessions('the settle to be executed', `state = 'idle' and ${SETTLE}`)
  expect(await running(id)).toEqual([{ attempt: 2, holder: other }])
  frozen.kill('SIGCONT')
  heldOther.release()

  expect(await finished(api, id, 60_000)).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 0, result: 'hello' })
  expect(await executions(id)).toEqual([
    { consumer: first, outcome: 'crash' },
    { consumer: other, outcome: 'success' },
  ])
})

test('its settle inside its transaction comes after the other began: fenced, the other result stands', async () => {
  const [first] = (await livesOf('frozen')) as [string]
  const held = proxy.holdRequest(execution('settle_success_waiting'))
  const id = await submit(api, TASK)
  await held.reached

  frozen.kill('SIGSTOP')
  const other = await anotherTakesOver(id)
  held.release()
  await untilSessions('the settle to be executed', `state = 'idle in transaction' and ${SETTLE}`)
  frozen.kill('SIGCONT')

  await expectOnce(id, [
    { consumer: first, outcome: 'crash' },
    { consumer: other, outcome: 'success' },
  ])
})

test('only its commit comes after the lease: it stands, as nobody could take over an attempt that is settled', async () => {
  const [first] = (await livesOf('frozen')) as [string]
  const held = proxy.holdRequest(commit)
  const id = await submit(api, TASK)
  await held.reached

  frozen.kill('SIGSTOP')
  await startOther()
  await untilLeaseRunsOut(first)
  held.release()

  await expectOnce(id, [{ consumer: first, outcome: 'success' }])
  frozen.kill('SIGCONT')
  await frozen.waitForLog(({ msg }) => msg === 'lease lost')
  await expectOnce(id, [{ consumer: first, outcome: 'success' }])
})

test('the woken process goes on working, under a new life', async () => {
  const [first] = (await livesOf('frozen')) as [string]

  frozen.kill('SIGSTOP')
  await untilLeaseRunsOut(first)
  frozen.kill('SIGCONT')
  const id = await submit(api, TASK)

  await finished(api, id, 60_000)
  const second = (await livesOf('frozen')).at(-1) as string
  expect(second).not.toBe(first)
  await expectOnce(id, [{ consumer: second, outcome: 'success' }])
})
