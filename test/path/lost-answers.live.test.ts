// Promise: an answer of PostgreSQL that is lost after the commit costs nothing: nothing is stranded or overwritten, no
// effect happens twice, no attempt is charged. What was asked is asked again, never guessed.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { aConversation, totalsOf } from '../support/conversations.ts'
import { effectsOn } from '../support/effects.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { aNightshift, call, finished, type Nightshift, submit, submitAll } from '../support/nightshift.ts'
import { aProxyTo, commit, done, execution } from '../support/postgres-wire.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { until } from '../support/until.ts'

failOnLeftovers()
let nightshift: Nightshift
let proxy: FaultProxy
beforeEach(async () => {
  nightshift = await aNightshift()
  proxy = await aProxyTo(nightshift.databaseUrl)
})
afterEach(async () => {
  await nightshift.remove()
  await proxy.stop()
})

const throughProxy = () => ({ DATABASE_URL: proxy.url(nightshift.databaseUrl) })
const echo = (payload: unknown) => ({ name: 'trial.echo', payload })
const conversationOf = (n: number, user = 'u-1') => ({ name: 'conversation.ended', payload: aConversation(n, user) })

/** How the executions of each task ended, in order; a task that was never charged only. */
async function histories(): Promise<Map<string, string>> {
  const rows = await nightshift.sql<{ id: string; ends: string }>(
    `select f.task_id as id, string_agg(a.outcome, ' ' order by a.attempt) as ends
       from finished f join attempt a using (task_id)
      where f.status = 'SUCCESS' and f.failures = 0 and f.attempt = (select max(attempt) from attempt where task_id = f.task_id)
      group by f.task_id`,
  )
  return new Map(rows.map(({ id, ends }) => [id, ends]))
}

const CUTS = [
  { lost: 'a claim', task: echo('hello'), cut: () => proxy.cutAfterRequest(execution('claim'), done), ends: 'success' },
  {
    lost: 'a settle',
    task: echo('hello'),
    cut: () => proxy.cutAfterRequest(execution('settle'), done),
    ends: 'success',
  },
  { lost: "a task's commit", task: conversationOf(1), cut: () => proxy.cutAfterRequest(commit, done), ends: 'success' },
  {
    lost: "a task's settle before its commit",
    task: conversationOf(1),
    cut: () => proxy.cutAfterRequest(execution('settle')),
    // Nothing was committed, and it was not the task's fault: done again, uncharged.
    ends: 'handed_back success',
  },
  {
    lost: 'two claims in turn',
    task: echo('hello'),
    cut: async () => {
      await proxy.cutAfterRequest(execution('claim'), done)
      await proxy.cutAfterRequest(execution('claim'), done)
    },
    ends: 'success',
  },
  {
    lost: 'a settle, and the next one too',
    task: echo('hello'),
    cut: async () => {
      await proxy.cutAfterRequest(execution('settle'), done)
      await proxy.cutAfterRequest(execution('settle'), done)
    },
    ends: 'success',
  },
  {
    lost: 'a claim that hangs',
    task: echo('hello'),
    cut: () => proxy.dropAnswersOnce(execution('claim')),
    ends: 'success',
  },
  {
    lost: 'a settle that hangs',
    task: echo('hello'),
    cut: () => proxy.dropAnswersOnce(execution('settle')),
    ends: 'success',
  },
]

test.each(CUTS)('the answer is lost of $lost', async ({ task, cut, ends }) => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer(throughProxy())
  const isCut = cut()

  const id = await submit(api, task)
  await isCut
  await finished(api, id, 60_000)

  expect(await histories()).toEqual(new Map([[id, ends]]))
  const [stored] = await nightshift.sql('select result from finished')
  if (task.name === 'trial.echo') expect(stored).toEqual({ result: task.payload })
  else expect(await effectsOn(nightshift)).toEqual(totalsOf([aConversation(1)]))
  await until('the wake-up to be acknowledged', async () => {
    return consumer.log.filter(({ msg }) => msg === 'attempt settled').length === ends.split(' ').length
  })
})

test('an accept whose answer was lost is found again by its key, and runs once', async () => {
  const api = await nightshift.startApi(throughProxy())
  const key = { 'idempotency-key': 'once' }
  const isCut = proxy.cutAfterRequest(execution('accept'), done)

  const first = await call(api, 'POST', '/api/v1/tasks', conversationOf(1), key)
  await isCut
  const second = await call(api, 'POST', '/api/v1/tasks', conversationOf(1), key)

  expect(first).toMatchObject({ status: 503, body: { type: '/docs#problem-unavailable' } })
  expect(second.status).toBe(202)
  const tasks = await nightshift.sql<{ id: string }>('select id from task')
  expect(tasks).toEqual([{ id: second.body.id }])
  await nightshift.startConsumer()
  await finished(api, second.body.id, 60_000)
  expect(await histories()).toEqual(new Map([[second.body.id, 'success']]))
  expect(await effectsOn(nightshift)).toEqual(totalsOf([aConversation(1)]))
})

test('answers lost again and again under load: every conversation counts once, nothing is charged', async () => {
  const users = ['u-1', 'u-2', 'u-3']
  const conversations = Array.from({ length: 150 }, (_, n) => aConversation(n, users[n % users.length]))
  const api = await nightshift.startApi()
  await nightshift.startConsumer(throughProxy())
  let cuts = 0
  let isOver = false
  const cutting = Array.from([execution('claim'), execution('settle'), commit], async (match) => {
    for (let n = 0; n < 10 && !isOver; n++) {
      await proxy.cutAfterRequest(match)
      cuts += 1
    }
  })

  const ids = await submitAll(
    api,
    conversations.map((payload) => ({ name: 'conversation.ended', payload })),
  )
  await nightshift.untilAllFinished({ withinMs: 90_000 })
  isOver = true
  proxy.pass()

  expect(cuts).toBeGreaterThan(20)
  const ended = await histories()
  for (const id of ids) expect(ended.get(id)).toMatch(/^(?:handed_back )*success$/)
  for (const user of users) {
    expect(await effectsOn(nightshift, user)).toEqual(totalsOf(conversations.filter(({ user_id }) => user_id === user)))
  }
  void cutting
})
