// One law: no input yields a 5xx, a crash or a hang, and what is accepted can be stored.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flawsOf } from '../../src/core/flaws.ts'
import { problemSchema } from '../../src/http/problem.ts'
import type { Db } from '../../src/store/db.ts'
import { type AnApi, anApi, fakeCommits } from './an-api.ts'

// Random JSON practically never has these: 0 of 20 000 samples of fast-check's own had a NUL or a lone surrogate.
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\0',
    '\ud800',
    '\udfff',
    '\u202e',
    '=cmd',
    '<img onerror=x>',
    '__proto__',
    'constructor',
    'toString',
    'toJSON',
    "' or 1=1--",
    '../',
    '%00',
    '\r\nSet-Cookie: a=b',
    '',
    ' ',
    '1e400',
    '-0',
    '9007199254740993',
    'x'.repeat(3_000),
    '\u{1f600}'.repeat(300),
  ),
)
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    hostile,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(hostile, tie('any'), { maxKeys: 4 }),
  ),
})).any
const FIELDS = ['name', 'payload', 'runAt', 'delay', 'expiresAfter', 'queue', 'maxAttempts', 'tags', 'userId', 'key']
const body = fc
  .record({
    name: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('trial.echo', 'trial.sleep', 'conversation.ended') },
      { weight: 1, arbitrary: value },
    ),
    payload: value,
    rest: fc.dictionary(fc.oneof(fc.constantFrom(...FIELDS), hostile), value, { maxKeys: 2 }),
  })
  .map(({ rest, ...whole }) => ({ ...whole, ...rest }))

async function expectLawful(answer: Response): Promise<void> {
  const text = await answer.text()
  expect(answer.status, text).toBeLessThan(500)
  if (answer.status < 400) return
  const problem = problemSchema.strict().parse(JSON.parse(text))
  expect(problem.status).toBe(answer.status)
}

test('no body yields a 5xx, and nothing is accepted that PostgreSQL could not store', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })
  const post = async (path: string, sent: unknown): Promise<void> => expectLawful(await api.post(path, sent))

  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      await Promise.all([
        post('/api/v1/tasks', sent),
        post('/api/v1/conversations/end', sent.payload),
        post('/api/v1/tasks/batch', [sent]),
      ])
    }),
    { numRuns: 250 },
  )

  for (const { payload, userId, tags, keys, runAt } of commits.tasks) {
    const stored = JSON.stringify({ payload, userId, tags, keys, runAt })
    expect(flawsOf(stored, JSON.parse(stored))).toEqual([])
  }
  expect(commits.tasks.length).toBeGreaterThan(20)
  expect((await api.post('/api/v1/tasks', { name: 'trial.echo', payload: 1 })).status).toBe(202)
})

test('no bytes yield a 5xx', async () => {
  const api = await anApi()
  const types = fc.constantFrom(
    'application/json',
    'application/x-ndjson',
    'application/json; charset=UTF-8',
    'text/plain',
  )

  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      types,
      fc.constantFrom('/api/v1/tasks', '/api/v1/tasks/batch'),
      async (bytes, type, path) => {
        await expectLawful(await api.post(path, bytes, { 'content-type': type }))
      },
    ),
    { numRuns: 200 },
  )
})

test('no path, query or header yields a 5xx', async () => {
  // A database that answers everything with nothing, so that a 503 cannot hide a 500.
  const connection = { query: async () => [], raw: async () => ({ rows: [], rowCount: 0 }) }
  const db: Db = { query: async () => [], transaction: (work) => work(connection), close: async () => undefined }
  const api: AnApi = await anApi({ db })
  const parts = fc.array(fc.oneof(hostile, fc.constantFrom('api', 'v1', 'tasks', 'requests', 'my-tasks', 'status')), {
    maxLength: 5,
  })
  const query = fc.dictionary(
    fc.oneof(fc.constantFrom('status', 'name', 'limit', 'cursor', 'userId', 'createdAfter', 'tag'), hostile),
    hostile,
    { maxKeys: 3 },
  )
  const encode = (text: string): string => (text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%80')
  const headerText = hostile.map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ''))

  await fc.assert(
    fc.asyncProperty(parts, query, headerText, async (path, pairs, header) => {
      const search = Object.entries(pairs)
        .map(([name, text]) => `${encode(name)}=${encode(text)}`)
        .join('&')
      const headers = {
        'x-request-id': header,
        'idempotency-key': header,
        prefer: `wait=${header}`,
        traceparent: header,
        tracestate: header,
        'if-none-match': header,
      }
      await expectLawful(await api.get(`/${path.map(encode).join('/')}?${search}`, headers))
      await expectLawful(await api.get(`/api/v1/tasks?${search}`, headers))
    }),
    { numRuns: 200 },
  )
})
