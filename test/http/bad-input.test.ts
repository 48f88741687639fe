// What does not fit is refused by a problem that names the place, and nothing reaches the commits.
import { describe, expect, test } from 'vitest'
import { problemSchema } from '../../src/http/problem.ts'
import { anApi, fakeCommits } from './an-api.ts'

const TASKS = '/api/v1/tasks'
const task = { name: 'trial.sleep', payload: { ms: 1 } }
const json = { 'content-type': 'application/json' }
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
const withPayload = (payload: string): string => `{"name":"trial.echo","payload":${payload}}`
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()

interface Case {
  readonly what: string
  readonly body: string | Uint8Array | object
  readonly headers?: Record<string, string>
  readonly status: number
  readonly slug: string
  /** A pointer that must be among the errors. */
  readonly pointer?: string
  readonly says?: RegExp
}

const CASES: readonly Case[] = [
  { what: 'no content type', body: '{}', headers: { 'content-type': '' }, status: 415, slug: 'unsupported-media-type' },
  { what: 'text', body: '{}', headers: { 'content-type': 'text/plain' }, status: 415, slug: 'unsupported-media-type' },
  {
    what: 'a form',
    body: 'a=b',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    slug: 'unsupported-media-type',
  },
  {
    what: 'UTF-16',
    body: '{}',
    headers: { 'content-type': 'application/json; charset=utf-16' },
    status: 415,
    slug: 'unsupported-media-type',
  },
  {
    what: 'UTF-7',
    body: '{}',
    headers: { 'content-type': 'application/json;charset=utf-7' },
    status: 415,
    slug: 'unsupported-media-type',
  },
  {
    what: 'another JSON type',
    body: '{}',
    headers: { 'content-type': 'application/merge-patch+json' },
    status: 415,
    slug: 'unsupported-media-type',
  },
  {
    what: 'a compressed body',
    body: '{}',
    headers: { ...json, 'content-encoding': 'gzip' },
    status: 415,
    slug: 'unsupported-media-type',
  },
  { what: 'an empty body', body: '', status: 400, slug: 'malformed-json' },
  { what: 'half a body', body: '{"name":', status: 400, slug: 'malformed-json' },
  { what: 'two bodies', body: '{}{}', status: 400, slug: 'malformed-json' },
  { what: 'invalid UTF-8', body: Uint8Array.from([0x22, 0xff, 0x22]), status: 400, slug: 'malformed-json' },
  {
    what: 'an overlong encoding',
    body: Uint8Array.from([0x22, 0xc0, 0x80, 0x22]),
    status: 400,
    slug: 'malformed-json',
  },
  { what: 'NaN', body: withPayload('NaN'), status: 400, slug: 'malformed-json' },
  { what: 'more than 256 KiB', body: withPayload(`"${'x'.repeat(262_144)}"`), status: 413, slug: 'request-too-large' },
  {
    what: 'NUL in a value',
    body: withPayload('{"a":["\\u0000"]}'),
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload/a/0',
  },
  { what: 'NUL in a key', body: withPayload('{"\\u0000":1}'), status: 422, slug: 'invalid-input', pointer: '/payload' },
  {
    what: 'a lone surrogate',
    body: withPayload('{"a/b":"\\ud800"}'),
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload/a~1b',
  },
  {
    what: 'a lone surrogate in a key',
    body: withPayload('{"\\udfff":1}'),
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload',
  },
  {
    what: '__proto__',
    body: withPayload('{"__proto__":{"admin":true}}'),
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload',
  },
  { what: '1e400', body: withPayload('1e400'), status: 422, slug: 'invalid-input', pointer: '/payload' },
  {
    what: 'an integer that would be rounded',
    body: withPayload('[9007199254740993]'),
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload/0',
  },
  {
    what: 'nesting of 65 levels',
    body: withPayload(nested(65)),
    status: 422,
    slug: 'invalid-input',
    says: /nested deeper/,
  },
  {
    what: 'nesting of 100 000 levels',
    body: withPayload(nested(100_000)),
    status: 422,
    slug: 'invalid-input',
    says: /nested deeper/,
  },
  { what: 'an array', body: '[]', status: 422, slug: 'invalid-input' },
  { what: 'a number', body: '7', status: 422, slug: 'invalid-input' },
  { what: 'null', body: 'null', status: 422, slug: 'invalid-input' },
  { what: 'no name', body: { payload: {} }, status: 422, slug: 'invalid-input', pointer: '/name' },
  {
    what: 'a name of another type',
    body: { name: ['trial.echo'], payload: {} },
    status: 422,
    slug: 'invalid-input',
    pointer: '/name',
  },
  {
    what: 'an unknown name',
    body: { name: 'trial.sleeep', payload: {} },
    status: 422,
    slug: 'invalid-input',
    pointer: '/name',
    says: /trial\.sleep/,
  },
  {
    what: 'a name of Object.prototype',
    body: { name: 'constructor', payload: {} },
    status: 422,
    slug: 'invalid-input',
    pointer: '/name',
  },
  {
    what: 'an unknown field',
    body: { ...task, runat: 1 },
    status: 422,
    slug: 'invalid-input',
    pointer: '/runat',
    says: /runAt/,
  },
  {
    what: 'a field that the server sets',
    body: { ...task, status: 'SUCCESS' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/status',
  },
  { what: 'a key outside a batch', body: { ...task, key: 'k' }, status: 422, slug: 'invalid-input', pointer: '/key' },
  { what: 'no payload', body: { name: 'trial.echo' }, status: 422, slug: 'invalid-input', pointer: '/payload' },
  {
    what: 'a payload of null',
    body: { name: 'trial.echo', payload: null },
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload',
  },
  {
    what: 'a payload of another type',
    body: { name: 'trial.sleep', payload: { ms: '1' } },
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload/ms',
  },
  {
    what: 'an unknown field in the payload',
    body: { name: 'trial.sleep', payload: { ms: 1, x: 2 } },
    status: 422,
    slug: 'invalid-input',
    pointer: '/payload/x',
  },
  {
    what: 'runAt without an offset',
    body: { ...task, runAt: '2030-01-01T00:00:00' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/runAt',
  },
  {
    what: 'runAt beyond the retention',
    body: { ...task, runAt: inDays(31) },
    status: 422,
    slug: 'invalid-input',
    pointer: '/runAt',
  },
  {
    what: 'runAt in the year 275760',
    body: { ...task, runAt: '+275760-09-13T00:00:00Z' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/runAt',
  },
  {
    what: 'runAt on the 30th of February',
    body: { ...task, runAt: '2030-02-30T00:00:00Z' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/runAt',
  },
  {
    what: 'runAt and delay',
    body: { ...task, runAt: inDays(1), delay: '1m' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/delay',
  },
  {
    what: 'a delay that is none',
    body: { ...task, delay: 'soon' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/delay',
  },
  { what: 'a negative delay', body: { ...task, delay: '-5s' }, status: 422, slug: 'invalid-input', pointer: '/delay' },
  {
    what: 'a delay beyond the retention',
    body: { ...task, delay: '31d' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/delay',
  },
  {
    what: 'a delay of ages',
    body: { ...task, delay: '999999999999d' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/delay',
  },
  {
    what: 'an expiry of nothing',
    body: { ...task, expiresAfter: '0s' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/expiresAfter',
  },
  {
    what: 'an expiry before the start',
    body: { ...task, delay: '2h', expiresAfter: '1h' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/expiresAfter',
  },
  {
    what: 'an unknown queue',
    body: { ...task, queue: 'elsewhere' },
    status: 422,
    slug: 'invalid-input',
    pointer: '/queue',
    says: /conversations/,
  },
  {
    what: 'no attempts',
    body: { ...task, maxAttempts: 0 },
    status: 422,
    slug: 'invalid-input',
    pointer: '/maxAttempts',
  },
  {
    what: 'too many attempts',
    body: { ...task, maxAttempts: 101 },
    status: 422,
    slug: 'invalid-input',
    pointer: '/maxAttempts',
  },
  {
    what: 'half an attempt',
    body: { ...task, maxAttempts: 1.5 },
    status: 422,
    slug: 'invalid-input',
    pointer: '/maxAttempts',
  },
  {
    what: 'too many tags',
    body: { ...task, tags: Array(21).fill('t') },
    status: 422,
    slug: 'invalid-input',
    pointer: '/tags',
  },
  {
    what: 'a tag that is too long',
    body: { ...task, tags: ['t', 't'.repeat(101)] },
    status: 422,
    slug: 'invalid-input',
    pointer: '/tags/1',
  },
  {
    what: 'a user id that is too long',
    body: { ...task, userId: 'u'.repeat(201) },
    status: 422,
    slug: 'invalid-input',
    pointer: '/userId',
  },
  {
    what: 'an idempotency key that is empty',
    body: task,
    headers: { ...json, 'idempotency-key': '' },
    status: 400,
    slug: 'invalid-parameter',
    says: /Idempotency-Key/,
  },
  {
    what: 'an idempotency key with a space',
    body: task,
    headers: { ...json, 'idempotency-key': 'a b' },
    status: 400,
    slug: 'invalid-parameter',
    says: /Idempotency-Key/,
  },
  {
    what: 'an idempotency key that is too long',
    body: task,
    headers: { ...json, 'idempotency-key': 'k'.repeat(256) },
    status: 400,
    slug: 'invalid-parameter',
    says: /Idempotency-Key/,
  },
  {
    what: 'a client id that is none',
    body: task,
    headers: { ...json, 'x-client-id': '../..' },
    status: 400,
    slug: 'invalid-parameter',
    says: /X-Client-Id/,
  },
]

describe('a request that does not fit is refused and nothing is accepted:', () => {
  test.each(CASES)('$what', async ({ body, headers, status, slug, pointer, says }) => {
    const commits = fakeCommits()
    const api = await anApi({ commits })

    const answer = await api.post(TASKS, body, headers)

    const problem = problemSchema.strict().parse(await answer.json())
    expect(answer.status, problem.detail).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(problem).toMatchObject({
      type: `/docs#problem-${slug}`,
      status,
      requestId: answer.headers.get('x-request-id'),
    })
    if (pointer !== undefined) expect(problem.errors?.map((error) => error.pointer)).toContain(pointer)
    if (says) expect(JSON.stringify(problem)).toMatch(says)
    expect(commits.tasks).toEqual([])
  })

  test('every flaw is named at once', async () => {
    const api = await anApi()

    const answer = await api.post(TASKS, {
      name: 'trial.echo',
      payload: 1,
      queue: 'x',
      delay: '40d',
      expiresAfter: '1ms',
    })

    const { errors } = problemSchema.parse(await answer.json())
    expect(errors?.map(({ pointer }) => pointer).sort()).toEqual(['/delay', '/expiresAfter', '/queue'])
  })

  test('the conversation route points into its own body', async () => {
    const api = await anApi()

    const answer = await api.post('/api/v1/conversations/end', {
      conversation_id: 'c',
      user_id: 7,
      bot_id: 'b',
      conversation_log: [],
    })

    expect(problemSchema.parse(await answer.json()).errors).toMatchObject([{ pointer: '/user_id' }])
  })

  test('a body far over the limit is answered, and the connection is not cut before the answer', async () => {
    const api = await anApi()

    const answers = await Promise.all(
      [1, 2, 4].map((mebibytes) => api.post(TASKS, `"${'x'.repeat(mebibytes * 1_048_576)}"`)),
    )

    expect(await Promise.all(answers.map(async (answer) => [answer.status, await answer.json()]))).toMatchObject([
      [413, { status: 413 }],
      [413, { status: 413 }],
      [413, { status: 413 }],
    ])
  })

  test('a body without a length is cut off at the limit, though it never ends', async () => {
    const api = await anApi()
    const head = `POST ${TASKS} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`

    const answer = await api.raw(head + chunk.repeat(5), 500)

    expect(answer).toMatch(/^HTTP\/1.1 413 /)
  })
})

interface QueryCase {
  readonly what: string
  readonly path: string
  readonly says: RegExp
}

const QUERIES: readonly QueryCase[] = [
  { what: 'an unknown parameter', path: '/api/v1/tasks?stats=FAILED', says: /stats.*did you mean status/ },
  { what: 'a parameter where none are known', path: '/health/live?x=1', says: /none are known/ },
  { what: 'a parameter given twice', path: '/api/v1/tasks?status=FAILED&status=SUCCESS', says: /more than once/ },
  { what: 'a status that is none', path: '/api/v1/tasks?status=failed', says: /status/ },
  { what: 'limit 0', path: '/api/v1/tasks?limit=0', says: /limit/ },
  { what: 'limit 201', path: '/api/v1/tasks?limit=201', says: /limit/ },
  { what: 'a limit in other words', path: '/api/v1/tasks?limit=1e2', says: /limit/ },
  { what: 'a cursor from elsewhere', path: '/api/v1/tasks?cursor=AAAA', says: /cursor/ },
  { what: 'a cursor that is empty', path: '/api/v1/tasks?cursor=', says: /cursor/ },
  { what: 'NUL', path: '/api/v1/tasks?name=%00', says: /NUL/ },
  { what: 'an encoded surrogate', path: '/api/v1/tasks?name=%ED%A0%80', says: /percent-encoding/ },
  { what: 'half an encoding', path: '/api/v1/tasks?name=%E2%82', says: /percent-encoding/ },
  { what: 'a date without an offset', path: '/api/v1/tasks?createdAfter=2026-01-01', says: /createdAfter/ },
  { what: 'no user', path: '/api/v1/tasks/my-tasks', says: /userId/ },
  { what: 'a path that cannot be decoded', path: '/api/v1/tasks/%ff', says: /percent-encoding/ },
  { what: 'a parameter that is __proto__', path: '/api/v1/tasks?__proto__=1', says: /__proto__/ },
]

describe('a query that does not fit is refused:', () => {
  test.each(QUERIES)('$what', async ({ path, says }) => {
    const api = await anApi()

    const answer = await api.get(path)

    expect(answer.status).toBe(400)
    expect(problemSchema.parse(await answer.json()).detail).toMatch(says)
  })
})
