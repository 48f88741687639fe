// Promise: wrong settings are reported all together, each by name and with the fix; no secret is printed.
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/runtime/config.ts'

const good = { DATABASE_URL: 'postgres://u:secret@db/x', AMQP_URL: 'amqp://u:secret@mq' }

function problems(environment: Record<string, string>): string[] {
  try {
    readConfig(environment)
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

test('two URLs are enough, and everything else has its default', () => {
  const config = readConfig(good)

  expect(config).toMatchObject({
    httpPort: 8080,
    acceptMode: 'durable',
    auth: 'on',
    retryLadderMs: [60_000, 300_000, 1_800_000],
  })
  expect(Object.isFrozen(config)).toBe(true)
})

test('all problems are reported at once', () => {
  const said = problems({
    DATABASE_URL: 'mysql://u:secret@db',
    NIGHTSHIFT_HTTP_PORT: '70000',
    NIGHTSHIFT_LEASE_SECOND: '5',
  })

  expect(said).toEqual([
    'DATABASE_URL must be a URL that begins with postgres:// or postgresql://',
    expect.stringMatching(/^AMQP_URL is not set: /),
    'NIGHTSHIFT_HTTP_PORT must be a whole number from 0 to 65535, not "70000"',
    'NIGHTSHIFT_LEASE_SECOND is not a setting: did you mean NIGHTSHIFT_LEASE_SECONDS?',
  ])
  expect(said.join()).not.toContain('secret')
})

test('what Kubernetes adds for a Service is nobody’s mistake', () => {
  const links = [
    'API_SERVICE_HOST',
    'API_SERVICE_PORT',
    'API_SERVICE_PORT_HTTP',
    'API_PORT',
    'API_PORT_8080_TCP',
    'API_PORT_8080_TCP_ADDR',
    'SERVICE_HOST',
  ]

  expect(problems({ ...good, ...Object.fromEntries(links.map((link) => [`NIGHTSHIFT_${link}`, 'x'])) })).toEqual([])
})

test('a value can come from a file, and not from two places', () => {
  const path = join(tmpdir(), `nightshift-config-${process.pid}`)
  writeFileSync(path, 'postgres://from/file\n')

  expect(readConfig({ AMQP_URL: good.AMQP_URL, DATABASE_URL_FILE: path }).databaseUrl).toBe('postgres://from/file')
  expect(problems({ ...good, DATABASE_URL_FILE: path })).toEqual([
    'DATABASE_URL and DATABASE_URL_FILE are both set: set one',
  ])
  expect(problems({ AMQP_URL: good.AMQP_URL, DATABASE_URL_FILE: '/nowhere' })[0]).toMatch(
    /^DATABASE_URL cannot be read from the file/,
  )
})

const WRONG = [
  { name: 'NIGHTSHIFT_QUEUES', value: 'conversations', says: /queue:slots/ },
  { name: 'NIGHTSHIFT_QUEUES', value: 'a:0', says: /queue:slots/ },
  { name: 'NIGHTSHIFT_QUEUES', value: 'a:1:2', says: /queue:slots/ },
  { name: 'NIGHTSHIFT_QUEUES', value: 'a:1,b:2,a:3', says: /names the queue a twice/ },
  { name: 'NIGHTSHIFT_RESULT_TTL', value: '999999999999d', says: /a duration from 1m to 365d/ },
  { name: 'NIGHTSHIFT_RETRY_LADDER', value: '1m,5', says: /"5" is not a duration/ },
  { name: 'NIGHTSHIFT_CONSUMER_NAME', value: 'a\u001b[2J', says: /1-253 visible ASCII characters.*"a\\u001b/ },
  { name: 'NIGHTSHIFT_HTTP_HOST', value: 'a b', says: /1-253 visible ASCII characters/ },
  { name: 'NIGHTSHIFT_RETRY_LADDER', value: '1m,,5m', says: /durations joined by commas/ },
  { name: 'NIGHTSHIFT_RESULT_TTL', value: '1s', says: /a duration from 1m to 365d/ },
  { name: 'NIGHTSHIFT_AUTH', value: 'maybe', says: /one of on, off/ },
]

test.each(WRONG)('$name=$value is refused', ({ name, value, says }) => {
  expect(problems({ ...good, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} .*${says.source}`))])
})

test('a command needs only its own settings', () => {
  expect(readConfig({ DATABASE_URL: good.DATABASE_URL }, ['databaseUrl']).databaseUrl).toBe(good.DATABASE_URL)
})
