// Promise: waiting is not lost. However long tasks wait behind a slow consumer, and whatever order they are published
// in after an outage of the broker, the auditor offers none of them again.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Rabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { copiesOf, notDoneOnce, recordReoffers, submitBulk } from '../support/bulk.ts'
import { type ApiProcess, metric, submit, withNightshift } from '../support/nightshift.ts'
import type { LogLine } from '../support/processes.ts'
import { aRabbitmq } from '../support/servers.ts'
import { until } from '../support/until.ts'

const WAITING = 20_000
const BACKLOG = 5_000
const QUIET_SECONDS = 3
/** A task that began later than others is proof of their loss when it was offered twice the quiet time after them. */
const LONG_SECONDS = 4 * QUIET_SECONDS

// The broker of its own starts more than once, which takes a busy machine half a minute each time.
vi.setConfig({ testTimeout: 300_000 })
let rabbitmq: Rabbitmq
beforeAll(async () => {
  rabbitmq = await aRabbitmq()
})
afterAll(() => rabbitmq.remove())
const nightshift = withNightshift(async () => {
  const env = { NIGHTSHIFT_AUDIT_QUIET_SECONDS: String(QUIET_SECONDS) }
  return { amqpUrl: rabbitmq.url, env }
})

test('20 000 tasks wait for many audit periods behind a slow consumer, and none is offered again', async () => {
  const reoffers = await recordReoffers(nightshift)
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:1' })

  const ids = await submitBulk(api, copiesOf(WAITING, { name: 'trial.echo', payload: 'patience' }))
  const waiting = await until(
    'tasks to have waited for long',
    async () => ((await waitingLong()) > 1_000 ? waitingLong() : false),
    {
      withinMs: 90_000,
      everyMs: 500,
    },
  )
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:100' })
  await nightshift.untilAllFinished({ withinMs: 120_000 })

  expect(waiting).toBeGreaterThan(1_000)
  expect(await reoffers()).toEqual(new Map())
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total')).toBe(0)
  expect(await notDoneOnce(nightshift, ids)).toEqual([])
})

test('new tasks overtake the backlog of an outage, and nothing of the backlog is taken for lost', async () => {
  const reoffers = await recordReoffers(nightshift)
  const api = await nightshift.startApi()
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:20' })
  await rabbitmq.kill()
  const backlog = await submitBulk(api, copiesOf(BACKLOG, { name: 'trial.sleep', payload: { ms: 50 } }))
  await until('the backlog to be old', async () => (await waitingLong()) === BACKLOG, { withinMs: 60_000 })

  const upAgain = ({ msg, link, generation }: LogLine) =>
    msg === 'broker connection is up' && String(link).startsWith('relay') && Number(generation) > 1
  await rabbitmq.start()
  await api.waitForLog(upAgain, { withinMs: 90_000 })
  const stopSubmitting = keepSubmitting(api)
  await until('the backlog to be published', async () => (await unpublished(backlog)) === 0, { withinMs: 90_000 })
  const later = await stopSubmitting()
  await nightshift.untilAllFinished({ withinMs: 120_000 })

  expect(await overtaken(backlog, later)).toBeGreaterThan(0)
  expect(await reoffers()).toEqual(new Map())
  expect(await metric(api.metricsUrl, 'nightshift_audit_reoffered_total')).toBe(0)
  expect(await notDoneOnce(nightshift, [...backlog, ...later])).toEqual([])
})

/** Counts tasks that wait, and were accepted longer ago than makes a task suspicious. */
async function waitingLong(): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from unfinished u join task t on t.id = u.task_id
      where u.status = 'PENDING' and t.created_at < now() - $1::int * interval '1 s'`,
    [LONG_SECONDS],
  )
  return rows[0]?.tasks ?? 0
}

async function unpublished(ids: readonly string[]): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    'select count(*)::int as tasks from outbox where task_id = any($1)',
    [ids],
  )
  return rows[0]?.tasks ?? 0
}

/** Counts tasks of the backlog that began after a task accepted later. */
async function overtaken(backlog: readonly string[], later: readonly string[]): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from attempt_history
      where task_id = any($1) and started_at > (select min(started_at) from attempt_history where task_id = any($2))`,
    [backlog, later],
  )
  return rows[0]?.tasks ?? 0
}

/** Submits one task after the other, until told to stop; then returns their ids. They run long enough to be noticed. */
function keepSubmitting(api: ApiProcess): () => Promise<string[]> {
  let stopped = false
  const ids: string[] = []
  const submitting = (async () => {
    while (!stopped) {
      ids.push(await submit(api, { name: 'trial.sleep', payload: { ms: 2_000 } }))
      await sleep(40)
    }
  })()
  // A test that fails early does not wait for it.
  submitting.catch(() => undefined)
  return async () => {
    stopped = true
    await submitting
    return ids
  }
}
