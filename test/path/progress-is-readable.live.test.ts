// Promise: what a handler says about its progress can be read while it runs; the newest value wins.

import { type HandlerContext, handlerOf } from 'nightshift-tasks'
import { afterEach, expect, test } from 'vitest'
import { trialEcho } from '../../packs/trial/src/contract.ts'
import { topologyOf } from '../../src/broker/topology.ts'
import { Consumer } from '../../src/consumer/consumer.ts'
import { rungsOf } from '../../src/roles/rungs.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openDb } from '../../src/store/db.ts'
import { call, finished, submit, withNightshift } from '../support/nightshift.ts'
import { PACKS } from '../support/packs.ts'
import { until } from '../support/until.ts'

const afterwards: (() => Promise<unknown>)[] = []
// A lease that is long, so that none is lost on a busy machine.
const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })
afterEach(async () => {
  for (const undo of afterwards.splice(0)) await undo()
})

/** Starts a consumer in this process, whose `trial.echo` is the test's own. */
async function startConsumer(handle: (context: HandlerContext<unknown>) => unknown): Promise<void> {
  const open = (name: string) => openDb({ url: nightshift.databaseUrl, poolSize: 2, name, log: silentLog })
  const [db, leaseDb, effectsDb] = [open('claims'), open('lease'), open('effects')]
  const ladderMs = [1_000, 2_000]
  const consumer = new Consumer({
    ...{ name: 'in this process', version: 'test', amqpUrl: nightshift.amqpUrl, log: silentLog },
    ...{ db, leaseDb, effectsDb, ladderMs, leaseSeconds: 3, drainGraceSeconds: 1 },
    topology: topologyOf(['trial'], rungsOf(PACKS.contracts, ladderMs)),
    queues: new Map([['trial', 2]]),
    schemas: PACKS.schemas,
    handlers: new Map([['trial.echo', handlerOf(trialEcho, handle)]]),
  })
  afterwards.push(
    () => consumer.stop(),
    () => Promise.all([db, leaseDb, effectsDb].map((each) => each.close())),
  )
  await consumer.start()
}

test('progress is readable while the task runs, value after value, and stays when it has ended', async () => {
  const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const api = await nightshift.startApi()
  await startConsumer(async ({ progress }) => {
    for (let percent = 1; percent <= 50; percent++) progress({ percent, message: 'counting' })
    await steps[0]?.promise
    progress({ percent: 99, message: 'nearly' })
    await steps[1]?.promise
    return 'done'
  })
  const id = await submit(api, { name: 'trial.echo', payload: 1 })
  const untilProgress = (percent: number) =>
    until(`progress ${percent}`, async () => {
      const { body } = await call(api, 'GET', `/api/v1/tasks/${id}`)
      return body.progress?.percent === percent && body
    })

  const halfway = await untilProgress(50)
  steps[0]?.resolve()
  const nearly = await untilProgress(99)
  steps[1]?.resolve()
  const task = await finished(api, id)

  expect(halfway).toMatchObject({ status: 'RUNNING', progress: { percent: 50, message: 'counting' } })
  expect(nearly).toMatchObject({ status: 'RUNNING', progress: { percent: 99, message: 'nearly' } })
  expect(task).toMatchObject({ status: 'SUCCESS', result: 'done', progress: { percent: 99 } })
})

test('the next attempt begins without the progress of the one before', async () => {
  const step = Promise.withResolvers<void>()
  const api = await nightshift.startApi()
  await startConsumer(async ({ progress, task }) => {
    if (task.attempt > 1) return step.promise
    progress({ percent: 80 })
    await until('it to be stored', async () => (await nightshift.sql('select progress from unfinished'))[0]?.progress)
    throw new Error('at 80 percent')
  })
  const id = await submit(api, { name: 'trial.echo', payload: 1 })

  const running = await until('the second attempt to run', async () => {
    const { body } = await call(api, 'GET', `/api/v1/tasks/${id}`)
    return body.status === 'RUNNING' && body.attempt === 2 && body
  })
  step.resolve()
  await finished(api, id)

  expect(running.progress).toBeNull()
})
