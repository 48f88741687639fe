// Promise: the command line explains itself without a database, suggests what was meant, and ends with 2 and the fix when
// an argument or a setting is wrong.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function nightshift(...words: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...words], {
      env: { PATH: process.env.PATH },
    })
    return { code: 0, stdout, stderr }
  } catch (error) {
    return error as Ended
  }
}

const COMMANDS = ['migrate', 'doctor', 'key', 'topology', 'dead-letters', 'redrive', 'why', 'bursts']

test('help lists every role and command, and needs no setting', async () => {
  const [bare, long, word] = await Promise.all([nightshift(), nightshift('--help'), nightshift('help')])

  for (const { code, stdout } of [bare, long, word]) {
    expect(code).toBe(0)
    for (const name of ['api', 'consumer', 'all', ...COMMANDS]) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  }
})

test.concurrent.for([...COMMANDS, 'api', 'key create', 'key list', 'key revoke'])(
  '%s has help of its own',
  async (name) => {
    const { code, stdout } = await nightshift(...name.split(' '), '--help')

    expect(code).toBe(0)
    expect(stdout).toContain(`Usage: nightshift ${name}`)
  },
)

test.concurrent.for<[string, RegExp]>([
  ['consumr', /unknown command 'consumr'\n\(Did you mean consumer\?\)/],
  ['toString', /unknown command 'toString'/],
  ['api now', /too many arguments for 'api'/],
  ['redrive', /no filter is given: add one, or --all/],
  ['redrive --rate 0', /--rate <n>.*whole number from 1 to 1000/],
  ['redrive --sinse 2h', /unknown option '--sinse'\n\(Did you mean --since\?\)/],
  ['dead-letters --reason bored', /Allowed choices are failures, non_retryable/],
  ['bursts --since yesterday', /--since <when>.*2026-01-31T03:00:00Z, or how long ago, such as 2h/],
  ['key', /Usage: nightshift key/],
  ['key create --client shop', /required option '--scopes <scopes>' not specified/],
  ['key create --client Shop --scopes read', /--client <name>.*a-z, 0-9/],
  ['key create --client shop --scopes read,write', /--scopes <scopes>.*not "write"/],
  ['key revoke', /missing required argument 'id'/],
  ['why', /missing required argument 'id'/],
  ['migrate', /DATABASE_URL is not set/],
  ['bursts', /DATABASE_URL is not set/],
])('%s ends with 2 and says what is right', async ([words, says]) => {
  const { code, stdout, stderr } = await nightshift(...words.split(' '))

  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(says)
})
