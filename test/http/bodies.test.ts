// Promise: what a client may make an api hold is bounded by its bytes, for each client before all together; a hostile body
// costs no more than it cost to send.
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Caller } from '../../src/core/caller.ts'
import { anApi, fakeCommits } from './an-api.ts'

const TASKS = '/api/v1/tasks'
const task = { name: 'trial.echo', payload: 1 }
const bodyLimits = { clientBytes: 300_000, processBytes: 550_000 }
const callerOf = async (key: string): Promise<Caller> => ({ client: key, scopes: ['submit'] })

/** Sends the head of a request and some of its body; the rest is never sent. */
async function begin(url: string, key: string, bytes: number): Promise<Socket> {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  const head = `POST ${TASKS} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 250000\r\n\r\n`
  socket.write(head + 'x'.repeat(bytes))
  return socket
}

const answerOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.setEncoding('latin1')
    socket.once('data', (text: string) => resolve(text))
  })

test('a client that holds too many bytes is told so, and others are not', async () => {
  const api = await anApi({ findCaller: callerOf, bodyLimits })
  const post = (key: string) => api.post(TASKS, task, { authorization: `Bearer ${key}` })

  const sockets = [await begin(api.url, 'greedy', 150_000), await begin(api.url, 'greedy', 150_000)]
  const refused = await Promise.race(sockets.map(answerOf))

  expect(refused).toMatch(/^HTTP\/1.1 429 /)
  expect(refused).toContain('/docs#problem-too-much-at-once')
  expect(refused).toMatch(/^retry-after: 1\r$/m)
  expect((await post('honest')).status).toBe(202)
})

test('when all together hold too many, what comes is told to come again', async () => {
  const api = await anApi({ findCaller: callerOf, bodyLimits })

  const sockets = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => begin(api.url, key, 120_000)))
  const refused = await Promise.race(sockets.map(answerOf))

  expect(refused).toMatch(/^HTTP\/1.1 503 /)
  expect(refused).toMatch(/^retry-after: 1\r$/m)
})

test('bytes are given back when the answer is sent, and when the client has gone', async () => {
  const api = await anApi({ findCaller: callerOf, bodyLimits })
  const headers = { authorization: 'Bearer a' }
  const large = { name: 'trial.echo', payload: 'x'.repeat(150_000) }

  for (let round = 0; round < 5; round++) expect((await api.post(TASKS, large, headers)).status).toBe(202)
  const gone = await begin(api.url, 'a', 150_000)
  gone.destroy()

  await expect.poll(async () => (await api.post(TASKS, large, headers)).status).toBe(202)
})

test('a body in one-byte pieces is put together and accepted', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })
  const body = JSON.stringify({ name: 'trial.echo', payload: 'ä'.repeat(50) })
  const bytes = Buffer.from(body)
  const chunks = [...bytes].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join('')
  const head = `POST ${TASKS} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`

  expect(await api.raw(`${head}${chunks}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 202 /)
  expect(commits.tasks.map(({ payload }) => payload)).toEqual(['ä'.repeat(50)])
})

test.each([
  ['one item of 4 million numbers', `[{"name":"trial.echo","payload":[${'0,'.repeat(4_000_000)}0]}]`, 413],
  ['one item of 120 000 empty arrays', `[{"name":"trial.echo","payload":[${'[],'.repeat(80_000)}0]}]`, 422],
])('a batch of %s is refused by the item', async (_what, body, status) => {
  const api = await anApi()

  const [item] = (await (await api.post(`${TASKS}/batch`, body)).json()) as { problem: { status: number } }[]

  expect(item?.problem.status).toBe(status)
})

test.each([
  'application/json;',
  'application/json; charset=utf8',
  'application/json;charset="UTF-8"',
  'APPLICATION/JSON ; charset=utf-8;',
])('the content type %s is JSON', async (type) => {
  const api = await anApi()

  expect((await api.post(TASKS, task, { 'content-type': type })).status).toBe(202)
})

test('a byte order mark is named', async () => {
  const api = await anApi()

  const answer = await api.post(TASKS, `\ufeff${JSON.stringify(task)}`)

  expect(answer.status).toBe(400)
  expect(((await answer.json()) as { detail: string }).detail).toContain('byte order mark')
})

test('what follows a whole request and is not HTTP takes its answer from nobody', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })
  const body = JSON.stringify(task)
  const head = `POST ${TASKS} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`

  const answer = await api.raw(`${head}${body}garbage that is no request\r\n\r\n`)

  expect(answer).toMatch(/^HTTP\/1.1 202 /)
  expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1)
  expect(commits.tasks).toHaveLength(1)
})
