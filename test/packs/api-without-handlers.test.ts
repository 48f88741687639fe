// Promise: an api loads contracts and no handler, a consumer both; so a handler cannot harm the api, nor make it heavier.
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { failOnLeftovers, startProcess } from '../support/processes.ts'

failOnLeftovers()

/** Neither PostgreSQL nor RabbitMQ is there: what a process loads, it loads before it asks for them. */
const ENV = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  AMQP_URL: 'amqp://127.0.0.1:1',
  NIGHTSHIFT_AUTH: 'off',
  NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
  NIGHTSHIFT_HTTP_PORT: '0',
  NIGHTSHIFT_METRICS_PORT: '0',
  NIGHTSHIFT_PACKS: 'conversation,trial',
  NODE_OPTIONS: '--import ./test/support/list-loaded.ts',
}

const PACKS = pathToFileURL('packs/').href
const CONTRACTS = ['conversation/src/contract.ts', 'trial/src/contract.ts']
const HANDLERS = ['conversation/src/handlers.ts', 'trial/src/handlers.ts']

/** Names the files of packs that a role has loaded when it is ready. */
async function loadedBy(role: 'api' | 'consumer'): Promise<string[]> {
  const started = startProcess(role, ENV)
  await started.ready
  started.kill('SIGKILL')
  await started.exit
  const begin = `loaded ${PACKS}`
  return started.output.filter((line) => line.startsWith(begin)).map((line) => line.slice(begin.length))
}

test('an api has loaded the contracts and no handler', async () => {
  const loaded = await loadedBy('api')

  expect(loaded).toEqual(expect.arrayContaining(CONTRACTS))
  expect(loaded.filter((path) => HANDLERS.includes(path))).toEqual([])
})

test('a consumer has loaded both', async () => {
  expect(await loadedBy('consumer')).toEqual(expect.arrayContaining([...CONTRACTS, ...HANDLERS]))
})
