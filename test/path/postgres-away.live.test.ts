// Promise: PostgreSQL may go away under load, for longer than a lease. Meanwhile requests are answered 503 and never
// hang; afterwards everything goes on by itself, and no accepted task is lost, charged, or counted twice.
import { afterEach, expect, test } from 'vitest'
import type { Postgres } from '../../scripts/servers/postgres.ts'
import { aConversation } from '../support/conversations.ts'
import { type ApiProcess, metric, withNightshift } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'
import { aPostgres } from '../support/servers.ts'
import { until } from '../support/until.ts'

let postgres: Postgres
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await postgres.remove()
})
const nightshift = withNightshift(async () => {
  postgres = await aPostgres()
  return { databaseUrl: postgres.url, env: { NIGHTSHIFT_LEASE_SECONDS: '4' } }
})
afterEach(async () => {
  postgres.thaw()
})

interface Answer {
  readonly status: number | 'hang' | 'error'
  readonly contentType: string | null
  readonly retryAfter: string | null
  readonly id: string | undefined
}

interface Load {
  readonly answers: readonly Answer[]
  accepted(): string[]
  /** Stops submitting, when the requests under way are answered. */
  end(): Promise<void>
}

/** Six clients that submit one task after another: conversations, and sleeps that are running when it happens. */
function startLoad(api: ApiProcess): Load {
  const answers: Answer[] = []
  let isOver = false
  let next = 0
  const client = async (): Promise<void> => {
    while (!isOver) {
      const n = next++
      const conversation = { name: 'conversation.ended', payload: aConversation(n, `u-${n % 5}`) }
      const sleep = { name: 'trial.sleep', payload: { ms: 200 } }
      const answer = await post(api, n % 4 === 0 ? sleep : conversation)
      answers.push(answer)
      // A client that was refused does not hammer.
      await new Promise((resolve) => setTimeout(resolve, answer.status === 202 ? 15 : 100))
    }
  }
  const clients = Promise.all(Array.from({ length: 6 }, client))
  return {
    answers,
    accepted: () => answers.flatMap(({ status, id }) => (status === 202 && id ? [id] : [])),
    async end() {
      isOver = true
      await clients
    },
  }
}

/** Far above what an answer may take, far below what a test may take. */
const HANG_MS = 30_000

async function post(api: ApiProcess, task: object): Promise<Answer> {
  try {
    const response = await fetch(`${api.url}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(task),
      signal: AbortSignal.timeout(HANG_MS),
    })
    const { id } = (await response.json()) as { id?: string }
    const { headers } = response
    return {
      status: response.status,
      contentType: headers.get('content-type'),
      retryAfter: headers.get('retry-after'),
      id,
    }
  } catch (error) {
    const status = error instanceof Error && error.name === 'TimeoutError' ? 'hang' : 'error'
    return { status, contentType: null, retryAfter: null, id: undefined }
  }
}

const isOver = (consumer: RunningProcess) => consumer.log.some(({ msg }) => msg === 'lease lost')
const refused = ({ answers }: Load) => answers.filter(({ status }) => status === 503).length

/** Away until clients were refused and every consumer has lost its lease. */
async function untilNoticed(load: Load, consumers: readonly RunningProcess[]): Promise<void> {
  await until('503 answers and lost leases', () => refused(load) >= 20 && consumers.every(isOver), { withinMs: 60_000 })
}

const CASES = [
  { what: 'restarts in order', leave: () => postgres.restart('fast') },
  { what: 'crashes and recovers', leave: () => postgres.restart('immediate') },
  {
    what: 'is killed for longer than a lease',
    isLong: true,
    leave: () => postgres.kill(),
    come: () => postgres.start(),
  },
  {
    what: 'freezes for longer than a lease',
    isLong: true,
    leave: () => postgres.freeze(),
    come: () => postgres.thaw(),
  },
]

test.each(CASES)('PostgreSQL $what under load', async ({ isLong = false, leave, come }) => {
  const api = await nightshift.startApi()
  const consumers = [await nightshift.startConsumer(), await nightshift.startConsumer()]
  const ended: string[] = []
  for (const each of [api, ...consumers]) void each.exit.then(() => ended.push(`pid ${each.pid}`))
  const load = startLoad(api)
  await until('the load to be under way', () => load.accepted().length >= 100, { withinMs: 60_000 })

  await leave()
  if (isLong) await untilNoticed(load, consumers)
  await come?.()
  const before = load.accepted().length
  await until('requests to be accepted again', () => load.accepted().length >= before + 100, { withinMs: 90_000 })
  await load.end()
  await nightshift.untilAllFinished({ withinMs: 90_000 })

  expect(ended, 'processes of ours that ended').toEqual([])
  const kinds = new Set(load.answers.map(({ status }) => status))
  expect(kinds).toEqual(isLong || refused(load) > 0 ? new Set([202, 503]) : new Set([202]))
  for (const answer of load.answers.filter(({ status }) => status === 503)) {
    expect(answer).toMatchObject({
      contentType: 'application/problem+json',
      retryAfter: expect.stringMatching(/^\d+$/),
    })
  }
  await expectNothingLostOrCharged(load.accepted())
  await expectCountedOnce()
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total', { cause: 'dead_consumer' })).toBe(0)
})

/** A request that was refused may have been committed: then its task has to end as well, so all of them are checked. */
async function expectNothingLostOrCharged(accepted: readonly string[]): Promise<void> {
  const lost = await nightshift.sql(
    `select a.id from unnest($1::uuid[]) as a(id) left join finished f on f.task_id = a.id where f.task_id is null`,
    [accepted],
  )
  expect(lost, 'accepted and not finished').toEqual([])
  const stray = await nightshift.sql('select id from task where id not in (select task_id from finished)')
  expect(stray, 'stored and not finished').toEqual([])
  const harmed = await nightshift.sql(`select * from finished where status <> 'SUCCESS' or failures > 0 or crashes > 0`)
  expect(harmed, 'not SUCCESS, or charged').toEqual([])
  const attempts = await nightshift.sql(`select * from attempt_history where outcome not in ('success', 'handed_back')`)
  expect(attempts, 'attempts that were charged or died').toEqual([])
}

async function expectCountedOnce(): Promise<void> {
  const wrong = await nightshift.sql(
    `select t.id from task t left join conversation.conversation c on c.task_id = t.id
      where t.name = 'conversation.ended'
        and (c.id is null or c.id <> t.payload->>'conversation_id')`,
  )
  expect(wrong, 'conversations that were not counted by their task').toEqual([])
  const sums = await nightshift.sql(
    `select f.user_id from conversation.friendship_status f
       join (select user_id, count(*) as conversations, sum(score_change) as score from conversation.conversation group by user_id) c
         using (user_id)
      where f.conversations <> c.conversations or f.score <> c.score`,
  )
  expect(sums, 'users whose sums are not those of their conversations').toEqual([])
  const twice = await nightshift.sql(
    `select task_id from attempt_history where outcome = 'success' group by task_id having count(*) > 1`,
  )
  expect(twice, 'tasks with more than one success').toEqual([])
}
