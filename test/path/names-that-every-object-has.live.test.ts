// Promise: a name from outside is never taken for something that every object has: a queue called `constructor` works as
// any other does, and a name that is unknown is told to be.
import { expect, test } from 'vitest'
import { call, finished, submit, withNightshift } from '../support/nightshift.ts'

const nightshift = withNightshift({ env: { NIGHTSHIFT_QUEUES: 'constructor:5,trial:5', NIGHTSHIFT_DEPTH_LOW: '1' } })

test('a queue called constructor takes tasks, runs them and tells its figures', async () => {
  const api = await nightshift.startApi()
  const scaling = new URL('/scaling?queues=constructor', api.metricsUrl)

  const waiting = await submit(api, { name: 'trial.echo', payload: 1, queue: 'constructor' })
  await expect.poll(async () => (await fetch(scaling)).json()).toMatchObject({ backlog: 1, running: 0, value: 1 })
  await nightshift.startConsumer()
  await finished(api, waiting)

  const after = await submit(api, { name: 'trial.echo', payload: 2, queue: 'constructor' })
  expect(await finished(api, after)).toMatchObject({ status: 'SUCCESS', result: 2 })
  const health = await call(api, 'GET', '/health/consumers')
  expect(health.body.queues).toContainEqual(expect.objectContaining({ queue: 'constructor', slots: 5 }))
  const metrics = await (await fetch(api.metricsUrl)).text()
  expect(metrics).toMatch(/^nightshift_drain_per_second\{.*queue="constructor".*\} [0-9]/m)
})

test.each(['toString', 'hasOwnProperty', 'valueOf'])('%s is neither a task type nor a queue', async (name) => {
  const api = await nightshift.startApi()

  const asType = await call(api, 'POST', '/api/v1/tasks', { name, payload: 1 })
  const asQueue = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: 1, queue: name })
  const asFigure = await fetch(new URL(`/scaling?queues=${name}`, api.metricsUrl))

  expect(asType).toMatchObject({ status: 422, body: { errors: [{ pointer: '/name' }] } })
  expect(asQueue).toMatchObject({ status: 422, body: { errors: [{ pointer: '/queue' }] } })
  expect(asFigure.status).toBe(404)
})
