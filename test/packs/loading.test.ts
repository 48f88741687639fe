// Promise: packs that cannot be loaded, or do not fit together, stop the process with one error that names the setting, the
// pack and the fix; without any pack an api starts, and says so.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failOnLeftovers, startProcess } from '../support/processes.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Where npm would have put the packs of these tests. */
const SCOPE = join(ROOT, 'node_modules/@nightshift-test')

const CONTRACT = `defineTask({ name: 'mail.send', summary: 's', payload: z.json(), queue: 'mail', effects: 'none' })`
const packOf = (input: string): string => `
import { definePack, defineTask, handlerOf } from 'nightshift-tasks'
import { z } from 'zod'
export const mail = ${CONTRACT}
export default definePack(${input})`
const MAIL = `{ name: 'mail', contracts: [mail] }`
const handlersOf = (list: string): string => `
import { defineTask, handlerOf } from 'nightshift-tasks'
import { z } from 'zod'
import { mail } from './pack.js'
const other = defineTask({ ...mail, ladder: undefined, deadline: '1m', name: 'mail.other' })
export default ${list}`
const HANDLERS = handlersOf('[handlerOf(mail, () => null)]')

const PACKS: Readonly<Record<string, readonly [pack: string, handlers: string]>> = {
  good: [packOf(MAIL), HANDLERS],
  namesake: [packOf(`{ name: 'mail', contracts: [] }`), handlersOf('[]')],
  sharer: [packOf(`{ name: 'sharer', contracts: [mail] }`), HANDLERS],
  shadow: [
    packOf(`{ name: 'shadow', contracts: [mail], routes:
      [{ method: 'post', path: '/api/v1/tasks/my-tasks', task: 'mail.send', summary: 's' }] }`),
    HANDLERS,
  ],
  hidden: [
    packOf(`{ name: 'hidden', contracts: [mail], routes:
      [{ method: 'post', path: '/api/v1/tasks/anything/cancel', task: 'mail.send', summary: 's' }] }`),
    HANDLERS,
  ],
  broken: [`throw new Error('no such host: vault')`, HANDLERS],
  plain: ['export default { name: "plain", contracts: [] }', HANDLERS],
  catalog: [packOf(`{ name: 'pg-catalog', contracts: [mail] }`), HANDLERS],
  idle: [packOf(MAIL), handlersOf('[]')],
  extra: [packOf(MAIL), handlersOf('[handlerOf(mail, () => null), handlerOf(other, () => null)]')],
  lost: [packOf(MAIL), `throw new Error('no such file: model.bin')`],
}

failOnLeftovers()

beforeAll(() => {
  for (const [name, [pack, handlers]] of Object.entries(PACKS)) {
    const folder = join(SCOPE, name)
    mkdirSync(folder, { recursive: true })
    const exported = { '.': './pack.js', './handlers': './handlers.js' }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', exports: exported }))
    writeFileSync(join(folder, 'pack.js'), pack)
    writeFileSync(join(folder, 'handlers.js'), handlers)
  }
})

afterAll(() => rmSync(SCOPE, { recursive: true, force: true }))

const ENV = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  AMQP_URL: 'amqp://127.0.0.1:1',
  NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
  NIGHTSHIFT_HTTP_PORT: '0',
  NIGHTSHIFT_METRICS_PORT: '0',
}

interface Ended {
  readonly code: number
  readonly said: string
}

/** Runs Nightshift until it ends by itself. */
function runToEnd(word: string, packs: string): Promise<Ended> {
  const env = { PATH: process.env.PATH, ...ENV, NIGHTSHIFT_PACKS: packs }
  return new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'src/main.ts'), word], { env, timeout: 15_000 }, (error, _out, said) =>
      resolve({ code: Number(error?.code ?? 0), said: said.trimEnd() }),
    )
  })
}

const at = (name: string): string => `@nightshift-test/${name}`
const out = (name: string): string => `or take "${at(name)}" out of NIGHTSHIFT_PACKS`

const WRONG = [
  {
    what: 'a package that is not there',
    packs: 'mial',
    says: 'NIGHTSHIFT_PACKS names "mial", and there is no package nightshift-pack-mial here: install it, or take "mial" out of NIGHTSHIFT_PACKS',
  },
  {
    what: 'a module that throws',
    packs: at('broken'),
    says: /^NIGHTSHIFT_PACKS names "@nightshift-test\/broken", and @nightshift-test\/broken cannot be loaded: Error: no such host: vault\n {4}at .*pack\.js[\s\S]*\nMend it, or take "@nightshift-test\/broken" out of NIGHTSHIFT_PACKS$/,
  },
  {
    what: 'a module that is no pack',
    packs: at('plain'),
    says: `NIGHTSHIFT_PACKS names "${at('plain')}", and the default export of ${at('plain')} is not a pack: make it with definePack, ${out('plain')}`,
  },
  {
    what: 'the name of a schema of PostgreSQL',
    packs: at('catalog'),
    says: `NIGHTSHIFT_PACKS names "${at('catalog')}", and its pack is called "pg-catalog", a schema that PostgreSQL keeps for itself: rename it, ${out('catalog')}`,
  },
  {
    what: 'two packs of one name',
    packs: `${at('good')},${at('namesake')}`,
    says: `NIGHTSHIFT_PACKS: the packs ${at('good')} and ${at('namesake')} are both called "mail": take one of them out of NIGHTSHIFT_PACKS, or rename it there`,
  },
  {
    what: 'two packs with one task type',
    packs: `${at('good')},${at('sharer')}`,
    says: `NIGHTSHIFT_PACKS: the packs ${at('good')} and ${at('sharer')} both define the task type "mail.send": take one of them out of NIGHTSHIFT_PACKS, or rename it there`,
  },
]

test.each(WRONG)('$what is refused by every command that loads packs', async ({ packs, says }) => {
  const { code, said } = await runToEnd('topology', packs)

  if (typeof says === 'string') expect(said).toBe(says)
  else expect(said).toMatch(says)
  expect(code).toBe(2)
})

const WRONG_IN_A_ROLE = [
  {
    role: 'api',
    name: 'shadow',
    says: 'has the route /api/v1/tasks/my-tasks, and the platform answers at /api/v1/tasks/my-tasks: rename it there',
  },
  {
    role: 'api',
    name: 'hidden',
    says: 'has the route /api/v1/tasks/anything/cancel, and the platform answers at /api/v1/tasks/{id}/cancel: rename it there',
  },
  { role: 'consumer', name: 'idle', says: 'it has no handler of "mail.send": add one' },
  { role: 'consumer', name: 'extra', says: 'it has a handler of "mail.other", but no such contract: add one' },
  {
    role: 'consumer',
    name: 'lost',
    says: '@nightshift-test/lost/handlers cannot be loaded: Error: no such file: model.bin',
  },
]

test.each(WRONG_IN_A_ROLE)('a $role does not start with the pack "$name"', async ({ role, name, says }) => {
  const { code, said } = await runToEnd(role, at(name))

  expect(said).toMatch(/^NIGHTSHIFT_PACKS/)
  expect(said).toContain(at(name))
  expect(said).toContain(says)
  expect(said).toContain('out of NIGHTSHIFT_PACKS')
  expect(code).toBe(2)
})

test('an api starts with a pack whose handlers cannot be loaded, and a consumer gives 20 slots to the queue it names', async () => {
  const api = startProcess('api', { ...ENV, NIGHTSHIFT_PACKS: at('lost') })
  const consumer = startProcess('consumer', { ...ENV, NIGHTSHIFT_PACKS: at('good') })
  const [, { metricsPort }] = await Promise.all([api.ready, consumer.ready])

  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()

  expect(metrics).toContain('nightshift_slots{queue="mail"} 20')
  for (const each of [api, consumer]) each.kill('SIGKILL')
  await Promise.all([api.exit, consumer.exit])
})

test('an api without a pack starts, and warns', async () => {
  const api = startProcess('api', { ...ENV, NIGHTSHIFT_PACKS: '' })
  await api.ready

  expect(api.log).toContainEqual(
    expect.objectContaining({ level: 'warn', msg: expect.stringContaining('no pack is loaded') }),
  )
  api.kill('SIGKILL')
  await api.exit
})
