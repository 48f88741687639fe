// Keys: who is let in, for how long that is remembered, and what is said to the others.
import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Caller } from '../../src/core/caller.ts'
import { authenticateByKey, requireScope } from '../../src/http/auth.ts'
import { anApi, fakeCommits } from './an-api.ts'

const caller: Caller = { client: 'shop', scopes: ['submit'] }
const withKey = (key: string): IncomingMessage => ({ headers: { authorization: `Bearer ${key}` } }) as IncomingMessage
const task = { name: 'trial.echo', payload: 1 }

test('a request without a key, or with one that is not known, is answered 401 with a challenge', async () => {
  const commits = fakeCommits()
  const api = await anApi({ callers: { good: caller }, commits })
  const headers = [
    {},
    { authorization: 'Bearer bad' },
    { authorization: 'Basic Z29vZA==' },
    { authorization: 'Bearer' },
    { 'x-client-id': 'shop' },
  ]

  const answers = await Promise.all(
    headers.map((one) => api.post('/api/v1/tasks', task, one as Record<string, string>)),
  )

  for (const answer of answers) {
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="nightshift"/)
    expect(await answer.json()).toMatchObject({ type: '/docs#problem-unauthenticated' })
  }
  expect(commits.tasks).toEqual([])
  expect((await api.post('/api/v1/tasks', task, { authorization: 'bearer good' })).status).toBe(202)
  expect(commits.tasks[0]?.client).toBe('shop')
})

test('a key without the scope is answered 403, naming it', async () => {
  const api = await anApi({ callers: { good: caller } })

  const answer = await api.get('/api/v1/tasks', { authorization: 'Bearer good' })

  expect(answer.status).toBe(403)
  expect(answer.headers.get('www-authenticate')).toContain('scope="read operate"')
})

test('admin may do everything', () => {
  expect(() => requireScope({ client: 'x', scopes: ['admin'] }, ['submit'])).not.toThrow()
  expect(() => requireScope({ client: 'x', scopes: ['read', 'operate'] }, ['submit'])).toThrow()
})

describe('what a key vouches for', () => {
  test('is remembered for 30 s and no longer, so a revoked key ends then', async () => {
    // Not 0, which the cache takes for no time at all.
    const start = 1_000
    let now = start
    let asked = 0
    let known: Caller | undefined = caller
    const authenticate = authenticateByKey(
      async () => {
        asked += 1
        return known
      },
      () => now,
    )
    await Promise.all([1, 2, 3].map(() => authenticate(withKey('k'))))
    known = undefined

    now = start + 29_999
    expect(await authenticate(withKey('k'))).toEqual(caller)
    expect(asked).toBe(1)
    now = start + 30_000
    await expect(authenticate(withKey('k'))).rejects.toThrow(/unknown, expired or revoked/)
  })

  test('is not remembered when the look-up fails or finds nobody', async () => {
    const answers: (Caller | undefined | Error)[] = [new Error('away'), undefined, caller]
    const authenticate = authenticateByKey(async () => {
      const next = answers.shift()
      if (next instanceof Error) throw next
      return next
    })

    await expect(authenticate(withKey('k'))).rejects.toThrow('away')
    await expect(authenticate(withKey('k'))).rejects.toThrow(/unknown/)
    expect(await authenticate(withKey('k'))).toEqual(caller)
  })
})

test('the database away makes the key unknown to nobody: 503, not 401', async () => {
  const api = await anApi({
    findCaller: async () => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    },
  })

  const answer = await api.post('/api/v1/tasks', task, { authorization: 'Bearer good' })

  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('2')
})
