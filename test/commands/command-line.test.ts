// Promise: the command line explains itself without a database, suggests what was meant, and ends with 2 and the fix when
// an argument or a setting is wrong.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CommanderError } from 'commander'
import { expect, test, vi } from 'vitest'
import { createProgram } from '../../src/commands/program.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const COMMANDS = ['migrate', 'doctor', 'key', 'topology', 'dead-letters', 'redrive', 'why', 'bursts']

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs it as a process, without any setting. */
async function nightshift(...words: string[]): Promise<Ended> {
  try {
    const env = { PATH: process.env.PATH }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...words], { env })
    return { code: 0, stdout, stderr }
  } catch (error) {
    return error as Ended
  }
}

/** Parses the words in this process, and gives what commander printed and how it ended. */
async function parsed(words: string): Promise<{ printed: string; failed: boolean }> {
  const printed: string[] = []
  const keep = (text: unknown): boolean => printed.push(String(text)) > 0
  const writers = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(keep))
  try {
    const program = await createProgram(words.split(' ')[0], async () => undefined)
    await program.parseAsync(words.split(' '), { from: 'user' })
    return { printed: printed.join(''), failed: false }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { printed: printed.join(''), failed: error.exitCode !== 0 }
  } finally {
    for (const writer of writers) writer.mockRestore()
  }
}

test('help lists every role and command, and needs no setting', async () => {
  const ends = await Promise.all([nightshift(), nightshift('--help'), nightshift('help')])

  for (const { code, stdout } of ends) {
    expect(code).toBe(0)
    for (const name of ['api', 'consumer', 'all', ...COMMANDS]) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  }
})

test('wrong words and a missing setting end with 2', async () => {
  const ends = await Promise.all([nightshift('consumr'), nightshift('bursts', '--since', 'x'), nightshift('migrate')])

  expect(ends.map(({ code, stdout }) => ({ code, stdout }))).toEqual(Array(3).fill({ code: 2, stdout: '' }))
  expect(ends[2]?.stderr).toContain('DATABASE_URL is not set')
})

test.for([...COMMANDS, 'api', 'key create', 'key list', 'key revoke'])('%s has help of its own', async (name) => {
  const { printed, failed } = await parsed(`${name} --help`)

  expect(failed).toBe(false)
  expect(printed).toContain(`Usage: nightshift ${name}`)
})

test.for<[string, RegExp]>([
  ['consumr', /unknown command 'consumr'\n\(Did you mean consumer\?\)/],
  ['toString', /unknown command 'toString'/],
  ['api now', /too many arguments for 'api'/],
  ['redrive', /no filter is given: add one, or --all/],
  ['redrive --rate 0', /--rate <n>.*whole number from 1 to 1000/],
  ['redrive --sinse 2h', /unknown option '--sinse'\n\(Did you mean --since\?\)/],
  ['dead-letters --reason bored', /Allowed choices are failures, non_retryable/],
  ['bursts --since yesterday', /--since <when>.*such as 2026-01-31T03:00:00Z/],
  ['redrive --since 5', /--since <when>.*or how long ago, up to 3650d, such as 2h/],
  ['redrive --since 2026-02-30T00:00:00Z', /must be a time with an offset/],
  ['dead-letters --since 2026-01-31T03:00:00', /must be a time with an offset/],
  ['bursts --since 5000000d', /how long ago, up to 3650d/],
  ['\u001b[2J', /unknown command '\\u001b\[2J'/],
  ['key', /Usage: nightshift key/],
  ['key create --client shop', /required option '--scopes <scopes>' not specified/],
  ['key create --client Shop --scopes read', /--client <name>.*a-z, 0-9/],
  ['key create --client shop --scopes read,write', /--scopes <scopes>.*not "write"/],
  ['key revoke', /missing required argument 'id'/],
  ['why', /missing required argument 'id'/],
])('%s is refused and told what is right', async ([words, says]) => {
  const { printed, failed } = await parsed(words)

  expect(failed).toBe(true)
  expect(printed).toMatch(says)
})
