// Whose tasks are whose: every route × no key, another client's key, a key without the scope, and those who may.
import { expect, test } from 'vitest'
import type { Caller } from '../../src/core/caller.ts'
import { liveApi } from './live-api.ts'

const CALLERS: Readonly<Record<string, Caller>> = {
  owner: { client: 'owner', scopes: ['submit', 'read'] },
  other: { client: 'other', scopes: ['submit', 'read'] },
  reader: { client: 'owner', scopes: ['read'] },
  submitter: { client: 'owner', scopes: ['submit'] },
  nothing: { client: 'owner', scopes: [] },
  operator: { client: 'ops', scopes: ['operate'] },
  admin: { client: 'root', scopes: ['admin'] },
}
const WHO = ['nobody', ...Object.keys(CALLERS)] as const
const json = { 'content-type': 'application/json' }

/** The answer to each of WHO, in that order. A route that is missing here fails the last test. */
const MATRIX: readonly { method: string; path: string; body?: string; answers: readonly number[] }[] = [
  {
    method: 'POST',
    path: '/api/v1/tasks',
    body: '{"name":"trial.echo","payload":1}',
    answers: [401, 202, 202, 403, 202, 403, 403, 202],
  },
  { method: 'POST', path: '/api/v1/tasks/batch', body: '[]', answers: [401, 202, 202, 403, 202, 403, 403, 202] },
  {
    method: 'POST',
    path: '/api/v1/conversations/end',
    body: '{"conversation_id":"c","user_id":"u","bot_id":"b","conversation_log":[]}',
    answers: [401, 202, 202, 403, 202, 403, 403, 202],
  },
  { method: 'GET', path: '/api/v1/tasks', answers: [401, 200, 200, 200, 403, 403, 200, 200] },
  { method: 'GET', path: '/api/v1/tasks/my-tasks?userId=u-7', answers: [401, 200, 200, 200, 403, 403, 200, 200] },
  { method: 'GET', path: '/api/v1/tasks/{id}', answers: [401, 200, 404, 200, 403, 403, 200, 200] },
  { method: 'GET', path: '/api/v1/tasks/{id}/status', answers: [401, 200, 404, 200, 403, 403, 200, 200] },
  { method: 'GET', path: '/api/v1/requests/r-7', answers: [401, 200, 404, 200, 403, 403, 200, 200] },
  { method: 'GET', path: '/api/v1/bursts', answers: [401, 403, 403, 403, 403, 403, 200, 200] },
  { method: 'POST', path: '/api/v1/tasks/{id}/retry', answers: [401, 409, 404, 403, 409, 403, 409, 409] },
  // The first who may has cancelled it: for the others it is in a state that cannot.
  { method: 'POST', path: '/api/v1/tasks/{id}/cancel', answers: [401, 202, 404, 403, 409, 403, 409, 409] },
  { method: 'GET', path: '/health/live', answers: [200, 200, 200, 200, 200, 200, 200, 200] },
  { method: 'GET', path: '/health/ready', answers: [200, 200, 200, 200, 200, 200, 200, 200] },
  { method: 'GET', path: '/health/consumers', answers: [503, 503, 503, 503, 503, 503, 503, 503] },
  { method: 'GET', path: '/openapi.json', answers: [200, 200, 200, 200, 200, 200, 200, 200] },
  { method: 'GET', path: '/docs', answers: [200, 200, 200, 200, 200, 200, 200, 200] },
]

test('every route answers each caller as it should', async () => {
  const { api } = await liveApi({ callers: CALLERS })
  const made = await api.post(
    '/api/v1/tasks',
    { name: 'trial.echo', payload: 1, userId: 'u-7' },
    { authorization: 'Bearer owner', 'x-request-id': 'r-7' },
  )
  const { id } = (await made.json()) as { id: string }

  for (const { method, path, body, answers } of MATRIX) {
    const seen: number[] = []
    for (const who of WHO) {
      const headers = who === 'nobody' ? {} : { authorization: `Bearer ${who}` }
      const answer = await fetch(`${api.url}${path.replace('{id}', id)}`, {
        method,
        ...(body === undefined ? { headers } : { body, headers: { ...headers, ...json } }),
      })
      await answer.text()
      seen.push(answer.status)
    }
    expect(seen, `${method} ${path}`).toEqual(answers)
  }
  const covered = MATRIX.map(
    ({ method, path }) => `${method.toLowerCase()} ${path.replace(/\?.*/, '').replace('r-7', '{requestId}')}`,
  )
  expect(covered.sort()).toEqual(api.routes.map(({ method, path }) => `${method} ${path}`).sort())
})

test("another client's task looks the same as one that does not exist", async () => {
  const { api } = await liveApi({ callers: CALLERS })
  const made = await api.post('/api/v1/tasks', { name: 'trial.echo', payload: 1 }, { authorization: 'Bearer owner' })
  const { id } = (await made.json()) as { id: string }
  const absent = id.replace(/.{4}$/, '0000')
  const as = {
    authorization: 'Bearer other',
    'x-request-id': 'same',
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
  }

  const [theirs, nobodys] = await Promise.all([
    api.get(`/api/v1/tasks/${id}`, as),
    api.get(`/api/v1/tasks/${absent}`, as),
  ])

  expect([theirs.status, nobodys.status]).toEqual([404, 404])
  expect((await theirs.text()).replaceAll(id, absent)).toBe(await nobodys.text())
})

test('a list has the own tasks only, whatever the filter; an operator sees all, and only an operator sees stacks', async () => {
  const { api, sql } = await liveApi({ callers: CALLERS })
  const ids: Record<string, string> = {}
  for (const who of ['owner', 'other']) {
    const made = await api.post(
      '/api/v1/tasks',
      { name: 'trial.echo', payload: 1, userId: 'shared', tags: ['t'] },
      { authorization: `Bearer ${who}`, 'x-request-id': 'shared' },
    )
    ids[who] = ((await made.json()) as { id: string }).id
  }
  await sql(
    `insert into attempt (task_id, attempt, consumer, started_at, ended_at, outcome, error)
     select id, 1, gen_random_uuid(), now(), now(), 'failure', '{"name":"E","message":"m","stack":"at secret.ts:1"}' from task`,
  )
  const list = async (who: string, path: string): Promise<{ text: string; ids: string[] }> => {
    const text = await (await api.get(path, { authorization: `Bearer ${who}` })).text()
    const body = JSON.parse(text) as { items?: { id: string }[]; tasks?: { id: string }[] }
    return { text, ids: (body.items ?? body.tasks ?? []).map(({ id }) => id).sort() }
  }

  for (const path of [
    '/api/v1/tasks',
    '/api/v1/tasks?userId=shared',
    '/api/v1/tasks?tag=t',
    '/api/v1/tasks?requestId=shared',
    '/api/v1/tasks/my-tasks?userId=shared',
    '/api/v1/requests/shared',
  ]) {
    const [owner, other, operator] = [
      await list('owner', path),
      await list('other', path),
      await list('operator', path),
    ]
    expect([owner.ids, other.ids], path).toEqual([[ids.owner], [ids.other]])
    expect(operator.ids).toEqual([ids.owner, ids.other].sort())
    expect(owner.text).not.toContain('secret.ts')
    expect(operator.text).toContain('secret.ts')
  }
})
