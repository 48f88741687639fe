// Promise: an api and a consumer that start before the schema is there wait for it: they live, say that they are not ready
// and why, take nothing, and go to work by themselves once it has been migrated.

import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/store/migrate.ts'
import { aVhost } from '../support/broker.ts'
import { aNightshift, call, finished, submit } from '../support/nightshift.ts'
import { PACKS } from '../support/packs.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'

failOnLeftovers()

test('both start on an empty database and go to work when it is migrated', async () => {
  const databaseUrl = await anEmptyDatabase()
  const vhost = await aVhost()
  onTestFinished(() => vhost.drop())
  const nightshift = await aNightshift({ databaseUrl, amqpUrl: vhost.url })
  onTestFinished(() => nightshift.remove())
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({}, { subscribed: false })
  const readiness = async (): Promise<{ status: number; body: { checks: unknown } }> =>
    call(api, 'GET', '/health/ready')

  const before = await readiness()
  const refused = await call(api, 'POST', '/api/v1/tasks', { name: 'trial.echo', payload: 1 })
  await migrate(databaseUrl, PACKS.schemas)
  await until('the api to be ready', async () => (await readiness()).status === 200)
  const id = await submit(api, { name: 'trial.echo', payload: 1 })
  const { status } = await finished(api, id)

  expect(before).toMatchObject({
    status: 503,
    body: { ready: false, checks: { postgresql: 'lacks migrations: run `nightshift migrate`' } },
  })
  expect(refused.status).toBeGreaterThanOrEqual(500)
  expect(status).toBe('SUCCESS')
  consumer.kill('SIGTERM')
  api.kill('SIGTERM')
  expect([await consumer.exit, await api.exit]).toEqual(Array(2).fill({ code: 0, signal: null }))
})

async function anEmptyDatabase(): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const url = new URL(shared().postgresUrl)
  const run = async (text: string): Promise<void> => {
    const client = new Client({ connectionString: shared().postgresUrl })
    await client.connect()
    await client.query(text)
    await client.end()
  }
  await run(`create database ${name}`)
  onTestFinished(() => run(`drop database if exists ${name} with (force)`))
  url.pathname = name
  return url.href
}
