// Promise: the same `Idempotency-Key` from 50 concurrent requests makes one task; with another body it is refused.
import { expect, test } from 'vitest'
import { liveApi } from '../status/live-api.ts'

const task = { name: 'trial.echo', payload: { a: 1 } }
const fifty = Array.from({ length: 50 }, (_, index) => index)

test('the same key and body from 50 concurrent requests make one task, and all get the same answer', async () => {
  const { api, count } = await liveApi()
  const send = () => api.post('/api/v1/tasks', task, { 'idempotency-key': 'k-1' })

  const answers = await Promise.all(fifty.map(send))
  // How long it will wait is said when it is accepted, and not of a repeat.
  const bodies = await Promise.all(
    answers.map(async (answer) => {
      const { ahead: _, estimatedStart: __, ...same } = (await answer.json()) as Record<string, unknown>
      return same
    }),
  )

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  expect(new Set(bodies.map((body) => JSON.stringify(body)))).toHaveLength(1)
  expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === null)).toHaveLength(1)
  expect(await count('task')).toBe(1)
  expect(await count('outbox')).toBe(1)
})

test('it holds across two api processes, which share no micro-batch', async () => {
  const { api, another, count } = await liveApi()
  const apis = [api, await another()]

  const answers = await Promise.all(
    fifty.map((index) =>
      (apis[index % 2] as typeof api).post('/api/v1/tasks', task, { 'idempotency-key': `k-${index % 5}` }),
    ),
  )

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  expect(await count('task')).toBe(5)
})

test('another body under the same key is refused, also at the same moment: one of them wins', async () => {
  const { api, count } = await liveApi()

  const answers = await Promise.all(
    fifty.map((index) => api.post('/api/v1/tasks', { ...task, payload: { a: index % 2 } }, { 'idempotency-key': 'k' })),
  )

  expect(answers.filter(({ status }) => status === 202)).toHaveLength(25)
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(25)
  expect(await count('task')).toBe(1)
})

test('both routes of a conversation, fifty at once, with and without keys, make one task', async () => {
  const { api, count } = await liveApi()
  const payload = { conversation_id: 'c-1', user_id: 'u', bot_id: 'b', conversation_log: [] }

  const answers = await Promise.all(
    fifty.map((index) =>
      index % 2 === 0
        ? api.post('/api/v1/conversations/end', payload, { 'idempotency-key': `k-${index}` })
        : api.post('/api/v1/tasks', { name: 'conversation.ended', payload }),
    ),
  )

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  expect(await count('task')).toBe(1)
})
