// Promise: a task that kills its process never costs a neighbour. It ends FAILED as a crash; the innocents that ran
// beside it succeed and are charged nothing.
import { expect, test } from 'vitest'
import { finished, submit, submitAll, withNightshift } from '../support/nightshift.ts'

const nightshift = withNightshift({ env: { NIGHTSHIFT_QUEUES: 'trial:10' } })

/** Keeps one consumer running, as Kubernetes would: whenever it dies another is started. */
function supervise(): { deaths(): number; stop(): Promise<void> } {
  let deaths = 0
  let isStopping = false
  let stop: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })

  async function keep(): Promise<void> {
    while (!isStopping) {
      const consumer = await nightshift.startConsumer({}, { subscribed: false }).catch(() => undefined)
      if (!consumer) {
        // It died before it could say that it was ready.
        deaths += 1
        continue
      }
      const end = await Promise.race([consumer.exit, stopped])
      if (end?.signal === 'SIGKILL') deaths += 1
    }
  }

  const kept = keep()
  return {
    deaths: () => deaths,
    async stop() {
      isStopping = true
      stop()
      await kept
    },
  }
}

test('ten tasks run side by side and one of them kills the consumer every time', async () => {
  const api = await nightshift.startApi()
  // In this order, so that whenever the killer begins the others have begun too.
  const innocents = await submitAll(api, Array(9).fill({ name: 'trial.sleep', payload: { ms: 1_000 } }), 1)
  const killer = await submit(api, { name: 'trial.crash', payload: {} })

  const supervisor = supervise()
  await finished(api, killer, 90_000)
  await nightshift.untilAllFinished({ withinMs: 90_000 })
  await supervisor.stop()

  const [killed] = await nightshift.sql('select status, failures, crashes from finished where task_id = $1', [killer])
  expect(killed).toEqual({ status: 'FAILED', failures: 0, crashes: 4 })
  expect(supervisor.deaths()).toBe(4)
  expect(await nightshift.sql('select task_id, reason from dead_letter')).toEqual([
    { task_id: killer, reason: 'crash' },
  ])
  const unharmed = await nightshift.sql<{ task_id: string }>(
    `select task_id from finished where status = 'SUCCESS' and failures = 0`,
  )
  expect(new Set(unharmed.map(({ task_id }) => task_id))).toEqual(new Set(innocents))

  // The test would prove nothing if none had been beside it: how often they died with it, and it with them. How many
  // had is the machine's affair: on a slow one some end before the killer begins.
  const crashes = await nightshift.sql<{ task_id: string; deaths: number }>(
    `select task_id, count(*)::int as deaths from attempt_history where outcome = 'crash' group by task_id order by task_id`,
  )
  const beside = crashes.filter(({ task_id }) => task_id !== killer)
  expect(beside.length).toBeGreaterThan(0)
  expect(crashes.find(({ task_id }) => task_id === killer)?.deaths).toBe(4)
  expect(Math.max(...beside.map(({ deaths }) => deaths))).toBeLessThanOrEqual(2)
})
