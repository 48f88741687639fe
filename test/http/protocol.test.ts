// What every answer carries, and what a connection may not do: ids, headers, methods, smuggling, slowness, stopping.
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Route, route } from '../../src/http/route.ts'
import { aborted } from '../../src/runtime/wait.ts'
import { until } from '../support/until.ts'
import { anApi, plainRequest } from './an-api.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('the request id', () => {
  const given: readonly { what: string; id: string | string[]; kept: boolean }[] = [
    { what: 'ordinary', id: 'req-1.A_b:c', kept: true },
    { what: 'of 255 characters', id: 'x'.repeat(255), kept: true },
    { what: 'of 256 characters', id: 'x'.repeat(256), kept: false },
    { what: 'of base64 and more', id: '7/+=@{}?#%2F', kept: true },
    { what: 'empty', id: '', kept: false },
    { what: 'with a space', id: 'a b', kept: false },
    { what: 'with a control character', id: 'a\tb', kept: false },
    { what: 'of Latin-1', id: 'é', kept: false },
    { what: 'given twice', id: ['a', 'b'], kept: false },
  ]
  test.each(given)('$what is kept: $kept', async ({ id, kept }) => {
    const api = await anApi()

    const { headers } = await plainRequest(`${api.url}/health/live`, { 'x-request-id': id })

    expect(headers['x-request-id-refused']).toEqual(kept ? undefined : expect.stringContaining('X-Request-Id must be'))
    if (kept) expect(headers['x-request-id']).toBe(id)
    else expect(headers['x-request-id']).toMatch(UUID)
  })

  const answers: readonly {
    method: string
    path: string
    status: number
    headers?: Record<string, string>
    body?: string
  }[] = [
    { method: 'GET', path: '/health/live', status: 200 },
    { method: 'HEAD', path: '/health/live', status: 200 },
    { method: 'OPTIONS', path: '/api/v1/tasks', status: 204 },
    { method: 'GET', path: '/nowhere', status: 404 },
    { method: 'GET', path: '/api/v1/tasks/', status: 404 },
    { method: 'GET', path: '/API/v1/tasks', status: 404 },
    { method: 'GET', path: '/api/v1/tasks/not-a-uuid', status: 404 },
    { method: 'GET', path: '/api/v1/tasks/..%2f..%2fetc%2fpasswd', status: 404 },
    { method: 'GET', path: '/api/v1/requests/%20', status: 404 },
    { method: 'DELETE', path: '/api/v1/tasks', status: 405 },
    { method: 'PUT', path: '/api/v1/tasks/batch', status: 405 },
    { method: 'POST', path: '/api/v1/tasks', status: 415, body: 'x', headers: { 'content-type': 'text/plain' } },
    { method: 'POST', path: '/api/v1/tasks', status: 400, body: '{', headers: { 'content-type': 'application/json' } },
    { method: 'GET', path: '/api/v1/tasks', status: 503 },
    { method: 'GET', path: '/health/ready', status: 503 },
    { method: 'GET', path: '/broken', status: 500 },
    { method: 'GET', path: '/broken?how=null', status: 500 },
  ]
  test.each(answers)('is on the answer $status to $method $path, with the headers of security', async (one) => {
    const api = await anApi({ extraRoutes: [broken] })

    const answer = await fetch(`${api.url}${one.path}`, {
      method: one.method,
      headers: { 'x-request-id': 'mine', ...one.headers },
      ...(one.body === undefined ? {} : { body: one.body }),
    })
    const text = await answer.text()

    expect(answer.status).toBe(one.status)
    expect(answer.headers.get('x-request-id')).toBe('mine')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-powered-by')).toBeNull()
    expect(text).not.toContain('secret')
    expect(text).not.toMatch(/\bat .*\.ts:/)
    if (one.status >= 400 && one.path !== '/health/ready')
      expect(JSON.parse(text)).toMatchObject({ requestId: 'mine', status: one.status })
    if (one.status === 405) expect(answer.headers.get('allow')).toContain('OPTIONS')
    if (one.status === 503 && one.path !== '/health/ready') expect(answer.headers.get('retry-after')).toBe('2')
  })
})

const broken: Route = route({
  method: 'get',
  path: '/broken',
  scopes: [],
  query: z.object({ how: z.string().optional() }),
  doc: { tag: 'Health', summary: 'Breaks', answers: { 200: { says: 'Never.' } } },
  answer: async (_call, { how }) => {
    throw how === undefined ? new Error('secret') : null
  },
})

describe('what two servers in a row might read differently is refused:', () => {
  const post = 'POST /api/v1/tasks HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n'
  const body = '{"name":"trial.echo","payload":1}'
  const cases: readonly { what: string; bytes: string; status: number }[] = [
    { what: 'two Host headers', bytes: 'GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', status: 400 },
    { what: 'no Host header', bytes: 'GET /health/live HTTP/1.1\r\n\r\n', status: 400 },
    { what: 'a target with a host', bytes: 'GET http://evil/health/live HTTP/1.1\r\nHost: here\r\n\r\n', status: 400 },
    {
      what: 'Content-Length and Transfer-Encoding',
      bytes: `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    { what: 'two Content-Lengths', bytes: `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, status: 400 },
    {
      what: 'the same Content-Length twice',
      bytes: `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
      status: 400,
    },
    { what: 'Transfer-Encoding: xchunked', bytes: `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, status: 400 },
    {
      what: 'Transfer-Encoding: chunked, identity',
      bytes: `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      what: 'Transfer-Encoding: gzip, chunked',
      bytes: `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      what: 'two Transfer-Encodings',
      bytes: `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      what: 'a bad chunk size',
      bytes: `${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n${body}\r\n0\r\n\r\n`,
      status: 400,
    },
    { what: 'a space before the colon', bytes: `${post}Content-Length : 2\r\n\r\n{}`, status: 400 },
    { what: 'a negative length', bytes: `${post}Content-Length: -1\r\n\r\n{}`, status: 400 },
    { what: 'a folded header', bytes: 'GET /health/live HTTP/1.1\r\nHost: here\r\nX: a\r\n b\r\n\r\n', status: 400 },
    { what: 'a bare CR in a header', bytes: 'GET /health/live HTTP/1.1\r\nHost: here\r\nX: a\rb\r\n\r\n', status: 400 },
    { what: 'NUL in a header', bytes: 'GET /health/live HTTP/1.1\r\nHost: here\r\nX: a\0b\r\n\r\n', status: 400 },
    { what: 'not HTTP', bytes: '\x16\x03\x01\x02\r\n\r\n', status: 400 },
    {
      what: 'an unknown expectation',
      bytes: `${post}Expect: wonders\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      status: 417,
    },
    {
      what: '150 headers',
      bytes: `GET /health/live HTTP/1.1\r\nHost: here\r\n${'X: y\r\n'.repeat(150)}\r\n`,
      status: 431,
    },
    {
      what: '17 KiB of headers',
      bytes: `GET /health/live HTTP/1.1\r\nHost: here\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`,
      status: 431,
    },
  ]
  test.each(cases)('$what', async ({ bytes, status }) => {
    const api = await anApi()

    const answer = await api.raw(bytes, 1_000)

    expect(answer.split('\r\n')[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/^x-request-id: /im)
    expect(answer).toMatch(/^content-type: application\/problem\+json/im)
    if (status === 400) expect(answer).toContain('#problem-malformed-request')
    expect(answer.match(/HTTP\/1\.1 [2345]/g)).toHaveLength(1)
  })
})

test('a head that arrives too slowly is cut off', async () => {
  const api = await anApi({ limits: { headersTimeout: 300, connectionsCheckingInterval: 100 } })

  const begun = performance.now()
  const answer = await api.raw('GET /health/live HTTP/1.1\r\nHost: he', 9_000)

  expect(answer).toMatch(/^HTTP\/1.1 408 /)
  expect(performance.now() - begun).toBeLessThan(4_000)
})

describe('stopping', () => {
  test('ends also the wait of a call that begins to wait while the server stops', async () => {
    const commit = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow: Route = route({
      method: 'get',
      path: '/slow',
      scopes: [],
      doc: { summary: 'Waits', tag: 'Health', answers: { 200: { says: 'It.' } } },
      answer: async (call) => {
        begun.resolve()
        await commit.promise
        await aborted(call.signal)
        return { status: 200, body: 'kept' }
      },
    })
    const api = await anApi({ extraRoutes: [slow] })
    const answer = fetch(`${api.url}/slow`)
    await begun.promise

    const stopped = api.server.stop()
    await until('it to take no more connections', async () =>
      fetch(api.url).then(
        () => false,
        () => true,
      ),
    )
    commit.resolve()

    expect(await (await answer).json()).toBe('kept')
    await stopped
  })

  test('finishes the request in flight, ends a wait, closes idle connections, and takes no new ones', async () => {
    const begun = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    const slow = route({
      method: 'get',
      path: '/slow',
      scopes: [],
      doc: { tag: 'Health', summary: 'Waits', answers: { 200: { says: 'Late.' } } },
      answer: async () => {
        begun.resolve()
        await finish.promise
        return { status: 200, body: { done: true } }
      },
    })
    const api = await anApi({ extraRoutes: [slow] })
    const idle = connect(api.server.port, '127.0.0.1')
    const idleClosed = new Promise((resolve) => idle.once('close', resolve))
    const inFlight = api.get('/slow')
    await begun.promise

    const stopped = api.server.stop()
    finish.resolve()

    expect(await (await inFlight).json()).toEqual({ done: true })
    await stopped
    await idleClosed
    await expect(api.get('/health/live')).rejects.toThrow()
  })

  test('can be done twice, and without a start', async () => {
    const api = await anApi()
    await api.server.stop()
    await expect(api.server.stop()).resolves.toBeUndefined()
  })
})
