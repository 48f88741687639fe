// Promise: the harness gives a handler what the platform would, and records what it told.
import { defineTask, handlerOf, type Tx } from 'nightshift-tasks'
import { anAttempt } from 'nightshift-tasks/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const contract = defineTask({
  name: 'mail.send',
  summary: 'Sends.',
  payload: z.strictObject({ to: z.string(), copies: z.int().default(1) }),
  queue: 'mail',
  effects: 'database',
})

test('the payload is as the schema understands it, or refused', async () => {
  const echo = handlerOf(contract, ({ payload }) => payload)

  expect(await anAttempt(echo, { payload: { to: 'a' } }).run()).toEqual({ to: 'a', copies: 1 })
  expect(() => anAttempt(echo, { payload: { too: 'a' } })).toThrow(/too/)
})

test('the task is that of the contract, at the attempt that follows its failures, and keyed by its id', async () => {
  const handler = handlerOf(contract, ({ task, idempotencyKey }) => ({ ...task, idempotencyKey }))
  const seen = await anAttempt(handler, { payload: { to: 'a' }, task: { id: 't-1', failures: 2, userId: 'u' } }).run()

  expect(seen).toMatchObject({ name: 'mail.send', queue: 'mail', attempt: 3, failures: 2, userId: 'u' })
  expect(seen).toMatchObject({ id: 't-1', idempotencyKey: 't-1' })
})

test('progress and log are recorded, also of a handler that throws', async () => {
  const attempt = anAttempt(
    handlerOf(contract, ({ progress, log }) => {
      progress({ percent: 1 })
      log.warn({ code: 7 }, 'odd')
      throw new Error('no luck')
    }),
    { payload: { to: 'a' } },
  )

  await expect(attempt.run()).rejects.toThrow('no luck')
  expect(attempt.progress).toEqual([{ percent: 1 }])
  expect(attempt.lines).toEqual([{ level: 'warn', fields: { code: 7 }, message: 'odd' }])
})

test('the signal and the transaction are those given; without one the handler is told so', async () => {
  const handler = handlerOf(contract, async ({ signal, tx }) => {
    signal.throwIfAborted()
    return tx(async ({ query }) => (await query('select 1')).rowCount)
  })
  const tx: Tx = { query: async () => ({ rows: [], rowCount: 5 }) }
  const payload = { to: 'a' }

  expect(await anAttempt(handler, { payload, tx: (work) => work(tx) }).run()).toBe(5)
  await expect(anAttempt(handler, { payload }).run()).rejects.toThrow('give anAttempt a tx')
  await expect(anAttempt(handler, { payload, signal: AbortSignal.abort() }).run()).rejects.toThrow(/abort/)
})
