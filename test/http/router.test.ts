// Promise: a request finds the route of its path and method, with the same path in one table only; else it is told 405 with
// the methods that exist, or 404.
import { expect, test } from 'vitest'
import { type Route, route } from '../../src/http/route.ts'
import { Router } from '../../src/http/router.ts'
import { anApi } from './an-api.ts'

const at = (method: 'get' | 'post', path: string): Route =>
  route({
    method,
    path,
    scopes: [],
    doc: { tag: 'Tasks', summary: path, answers: {} },
    answer: async () => ({ status: 200 }),
  })

const router = new Router([
  at('get', '/tasks/{id}'),
  at('post', '/tasks/{id}/retry'),
  at('post', '/tasks'),
  at('get', '/tasks'),
  at('post', '/tasks/batch'),
])

const CASES: readonly { method: string; url: string; path?: string; params?: object; allow?: string }[] = [
  { method: 'GET', url: '/tasks', path: '/tasks' },
  { method: 'HEAD', url: '/tasks', path: '/tasks' },
  { method: 'POST', url: '/tasks?x=1', path: '/tasks' },
  { method: 'POST', url: '/tasks#x', path: '/tasks' },
  { method: 'DELETE', url: '/tasks?x=1', allow: 'POST, GET, HEAD, OPTIONS' },
  { method: 'GET', url: '/tasks/7?wait=1', path: '/tasks/{id}', params: { id: '7' } },
  { method: 'GET', url: '/tasks/a%20b', path: '/tasks/{id}', params: { id: 'a b' } },
  { method: 'GET', url: '/tasks/a%2fb', path: '/tasks/{id}', params: { id: 'a/b' } },
  { method: 'POST', url: '/tasks/7/retry', path: '/tasks/{id}/retry', params: { id: '7' } },
  { method: 'GET', url: '/tasks/7/retry', allow: 'POST, OPTIONS' },
  // Text goes before parameters, also for the methods that it has not.
  { method: 'POST', url: '/tasks/batch', path: '/tasks/batch' },
  { method: 'GET', url: '/tasks/batch', allow: 'POST, OPTIONS' },
]

test.each(CASES)('$method $url', ({ method, url, path, params, allow }) => {
  const found = router.find(method, url)

  expect(found?.route?.path).toBe(path)
  if (found?.route) expect({ ...found.params }).toEqual(params ?? {})
  else expect(found?.allow).toBe(allow)
})

test.each(['/', '/Tasks', '/tasks/', '/tasks//', '/tasks/7/', '/tasks/7/retry/', '/x/tasks', '/tasks/7/8'])(
  'nothing is at %s',
  (url) => {
    expect(router.find('GET', url)).toBeUndefined()
  },
)

test('a page answers as a call does: by method, with HEAD and OPTIONS, and the path as it is written', async () => {
  const api = await anApi()
  const status = async (method: string, path: string) => {
    const answer = await fetch(`${api.url}${path}`, { method })
    await answer.text()
    return [answer.status, answer.headers.get('allow')]
  }

  expect(await status('GET', '/docs')).toEqual([200, null])
  expect(await status('HEAD', '/docs')).toEqual([200, null])
  expect(await status('OPTIONS', '/docs')).toEqual([204, 'GET, HEAD, OPTIONS'])
  expect(await status('POST', '/openapi.json')).toEqual([405, 'GET, HEAD, OPTIONS'])
  expect(await status('GET', '/docs/')).toEqual([404, null])
})
