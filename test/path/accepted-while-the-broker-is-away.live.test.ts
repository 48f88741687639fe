// Promise: whatever the broker does (healthy, stopped, blocked by its memory alarm), tasks are answered with 202 and
// nothing else, and when it is well again every one of them finishes, retries included.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { Rabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { type ApiProcess, aNightshift, call, type Nightshift } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { aRabbitmq } from '../support/servers.ts'
import { until } from '../support/until.ts'

/** How many tasks are accepted, at least, in each state of the broker. */
const EACH = 100

failOnLeftovers()
// The broker of its own starts more than once, which takes a busy machine half a minute each time.
vi.setConfig({ testTimeout: 300_000 })
let rabbitmq: Rabbitmq
let nightshift: Nightshift
beforeAll(async () => {
  rabbitmq = await aRabbitmq()
})
afterAll(() => rabbitmq.remove())
afterEach(() => nightshift.remove())

test('tasks that all fail and want their retry are accepted and finish, through a stop and an alarm', async () => {
  nightshift = await aNightshift({ amqpUrl: await rabbitmq.addVhost('well-and-away') })
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:5' })
  const load = keepSubmitting(api)

  await load.acceptMore()
  await until('retries under a healthy broker', async () => (await retried()) > 0, { withinMs: 60_000 })

  await rabbitmq.stop()
  await load.acceptMore()
  await rabbitmq.start()
  const soFar = await retried()
  await until('retries after the stop', async () => (await retried()) > soFar, { withinMs: 90_000 })

  await rabbitmq.blockPublishers()
  await api.waitForLog(({ msg }) => msg === 'broker blocks publishers', { withinMs: 60_000 })
  await load.acceptMore()
  await until('retries that cannot be published', async () => (await waitingRetries()) > 0, { withinMs: 60_000 })
  await rabbitmq.unblockPublishers()
  const { ids, answers } = await load.stop()
  await nightshift.untilAllFinished({ withinMs: 120_000 })

  expect(answers).toEqual(new Set([202]))
  const ends = await nightshift.sql(
    `select f.status, f.attempt, f.failures, count(*)::int as tasks
       from unnest($1::uuid[]) as wanted(id) left join finished f on f.task_id = wanted.id group by 1, 2, 3`,
    [ids],
  )
  expect(ends).toEqual([{ status: 'SUCCESS', attempt: 3, failures: 2, tasks: ids.length }])
})

async function retried(): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>('select count(*)::int as tasks from finished where attempt = 3')
  return rows[0]?.tasks ?? 0
}

/** Counts failed tasks whose retry waits in the outbox, long due, because the broker takes nothing. */
async function waitingRetries(): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from outbox where attempt > 1 and due_at < now() - interval '1 s'`,
  )
  return rows[0]?.tasks ?? 0
}

interface Load {
  /** Resolves when EACH further tasks were answered, all of them asked for from now on. */
  acceptMore(): Promise<void>
  stop(): Promise<{ ids: string[]; answers: Set<number> }>
}

/** Submits failing tasks, four at a time and at a pace that two cores can work off, until told to stop. */
function keepSubmitting(api: ApiProcess): Load {
  const stopping = new AbortController()
  const ids: string[] = []
  const answers = new Set<number>()
  let answered = 0
  const submit = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { status, body } = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.fail', payload: { times: 2 } })
      answers.add(status)
      answered += 1
      if (status === 202) ids.push(body.id)
      await sleep(50)
    }
  }
  const submitting = Promise.all(Array.from({ length: 4 }, submit))
  // A test that fails early does not wait for it.
  submitting.catch(() => undefined)
  return {
    async acceptMore() {
      const enough = answered + EACH + 4
      await until(`${EACH} more answers`, () => answered >= enough, { withinMs: 90_000 })
    },
    async stop() {
      stopping.abort()
      await submitting
      return { ids, answers }
    },
  }
}
