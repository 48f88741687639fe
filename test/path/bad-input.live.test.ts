// Promise: what is refused leaves nothing stored, and neighbours in the same micro-batch are not harmed by it.

import { defineTask } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { liveApi } from '../status/live-api.ts'
import { contractsOf } from '../support/packs.ts'

const good = (index: number) => ({ name: 'trial.echo', payload: { index } })
const BAD: readonly string[] = [
  '{"name":"trial.echo","payload":"\\u0000"}',
  '{"name":"trial.echo","payload":{"\\ud800":1}}',
  `{"name":"trial.echo","payload":${'['.repeat(70)}${']'.repeat(70)}}`,
  '{"name":"trial.echo","payload":null}',
  '{"name":"trial.echo","payload":1,"runAt":"+275760-01-01T00:00:00Z"}',
  '{"name":"trial.echo","payload":1,"extra":1}',
  '{"name":"trial.sleep","payload":{"ms":"1"}}',
  '{"name":"trial.echo","payload":1e400}',
  `{"name":"trial.echo","payload":"${'x'.repeat(300_000)}"}`,
  '{"name":',
]

test('every refused request leaves no row, and every good one beside it is accepted', async () => {
  const { api, count } = await liveApi()

  const mixed = Array.from({ length: 200 }, (_, index) =>
    index % 2 === 0
      ? api.post('/api/v1/tasks', good(index))
      : api.post('/api/v1/tasks', BAD[(index >> 1) % BAD.length] as string, { 'idempotency-key': `k-${index}` }),
  )
  const answers = await Promise.all(mixed)

  expect(
    answers
      .map(({ status }, index) => (index % 2 === 0 ? status === 202 : status >= 400 && status < 500))
      .every(Boolean),
  ).toBe(true)
  for (const table of ['task', 'unfinished', 'outbox']) expect(await count(table)).toBe(100)
  expect(await count('idempotency')).toBe(0)
})

test('a row that only PostgreSQL refuses fails alone, whoever shares its commit', async () => {
  // An id that is none stands for any flaw that no check of ours foresees.
  const { api, count } = await liveApi({ newId: nthIs(10, 'no id') })

  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => api.post('/api/v1/tasks', good(index))))

  expect(answers.filter(({ status }) => status === 202)).toHaveLength(39)
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(1)
  expect(await count('task')).toBe(39)
  expect(await count('outbox')).toBe(39)
})

test('a row for which there is no partition is our outage and not its fault, and harms no other', async () => {
  const { api, count } = await liveApi({ newId: nthIs(10, 'ffffffff-ffff-7fff-bfff-ffffffffffff') })

  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => api.post('/api/v1/tasks', good(index))))

  expect(answers.filter(({ status }) => status === 202)).toHaveLength(39)
  expect(answers.filter(({ status }) => status !== 202).map(({ status }) => status)).toEqual([503])
  expect(await count('task')).toBe(39)
})

test('what is accepted can be read back exactly as it was sent', async () => {
  const { api, payloads } = await liveApi({
    contracts: contractsOf([
      defineTask({ name: 'trial.echo', summary: 'Echo.', payload: z.json(), queue: 'trial', effects: 'none' }),
    ]),
  })
  const sent = [
    0,
    -1.5,
    '',
    'null',
    '\u{1f600}\u202e',
    [],
    {},
    { '': { a: [null, true, { 'ключ~/': "' or 1=1--" }] } },
    '\\u0000',
    [[[]]],
  ]

  for (const payload of sent)
    expect((await api.post('/api/v1/tasks', { name: 'trial.echo', payload })).status).toBe(202)

  expect(await payloads()).toEqual(sent)
})

/** Another id in the place of the nth. */
function nthIs(nth: number, id: string): (newId: () => string) => string {
  let made = 0
  return (newId) => (++made === nth ? id : newId())
}
