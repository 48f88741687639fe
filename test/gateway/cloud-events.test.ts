// Tasks asked for as CloudEvents: one event is one task of the type that it names, by every route that takes tasks.
import { describe, expect, test } from 'vitest'
import type { BatchAnswerItem } from '../../src/gateway/submit-batch.ts'
import { anApi, fakeCommits } from '../http/an-api.ts'

const TASKS = '/api/v1/tasks'
const BATCH = '/api/v1/tasks/batch'
const END = '/api/v1/conversations/end'
const one = { 'content-type': 'application/cloudevents+json; charset=UTF-8' }
const many = { 'content-type': 'application/cloudevents-batch+json' }
const event = { specversion: '1.0', id: 'e-1', source: '/shop', type: 'trial.echo', data: { a: 1 } }
const conversation = { conversation_id: 'c-1', user_id: 'u-1', bot_id: 'b-1' }

test('an event is one task of the type it names, whatever else it says, and its source and id are its key', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })
  const rich = {
    ...event,
    time: '2026-01-01T00:00:00Z',
    subject: 's',
    datacontenttype: 'application/json',
    tenant: 'x',
  }

  const answer = await api.post(TASKS, rich, one)

  expect(answer.status).toBe(202)
  expect(commits.tasks).toMatchObject([
    { name: 'trial.echo', payload: { a: 1 }, keys: [{ key: 'key:/shop#e-1', hash: expect.stringMatching(/./) }] },
  ])
})

test('a key that the client gives stands instead; one that no header could carry is digested', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })

  await api.post(TASKS, event, { ...one, 'idempotency-key': 'mine' })
  await api.post(TASKS, { ...event, id: 'ä #1' }, one)
  await api.post(TASKS, { ...event, source: '/shop#ä' }, one)
  await api.post(TASKS, { ...event, id: 'x'.repeat(300) }, one)

  const keys = commits.tasks.map((task) => task.keys[0]?.key)
  expect(keys).toEqual([
    'key:mine',
    'key:/shop#%C3%A4%20%231',
    expect.stringMatching(/^key:sha256-[0-9a-f]{64}$/),
    expect.stringMatching(/^key:sha256-[0-9a-f]{64}$/),
  ])
  expect(new Set(keys).size).toBe(4)
})

test('the route of a pack takes events of its own task type', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })

  const taken = await api.post(END, { ...event, type: 'conversation.ended', data: conversation }, one)
  const refused = await api.post(END, event, one)

  expect(taken.status).toBe(202)
  expect(commits.tasks).toMatchObject([{ name: 'conversation.ended', payload: conversation, userId: 'u-1' }])
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({
    errors: [{ pointer: '/type', detail: expect.stringContaining('must be conversation.ended here') }],
  })
})

test('a batch of events is answered one by one, in order', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })
  const events = [event, { ...event, id: 'e-2', type: 'trial.eco' }, { ...event, id: 'e-3', data: undefined }, 7]

  const answer = await api.post(BATCH, [...events, { ...event, id: 'e-5' }], many)
  const items = (await answer.json()) as BatchAnswerItem[]

  expect(answer.status).toBe(202)
  expect(items.map(({ accepted, key }) => [accepted, key])).toEqual([
    [true, '/shop#e-1'],
    [false, '/shop#e-2'],
    [false, '/shop#e-3'],
    [false, undefined],
    [true, '/shop#e-5'],
  ])
  expect(items.map((item) => (item.accepted ? [] : item.problem.errors?.map(({ pointer }) => pointer)))).toEqual([
    [],
    ['/type'],
    ['/data'],
    [''],
    [],
  ])
  expect(commits.tasks).toHaveLength(2)
})

describe('an event that cannot be a task is refused at its place', () => {
  test.each([
    { what: 'another version', changes: { specversion: '0.3' }, at: '/specversion' },
    { what: 'no id', changes: { id: undefined }, at: '/id' },
    { what: 'no source', changes: { source: '' }, at: '/source' },
    { what: 'no type', changes: { type: undefined }, at: '/type' },
    { what: 'a type that is none', changes: { type: 'constructor' }, at: '/type' },
    { what: 'data that is no JSON', changes: { datacontenttype: 'text/xml', data: '<a/>' }, at: '/datacontenttype' },
    { what: 'binary data', changes: { data: undefined, data_base64: 'AA==' }, at: '/data_base64' },
    { what: 'no data', changes: { data: null }, at: '/data' },
    { what: 'data that does not fit', changes: { type: 'trial.sleep', data: { ms: 'x' } }, at: '/data/ms' },
  ])('$what', async ({ changes, at }) => {
    const api = await anApi()

    const answer = await api.post(TASKS, { ...event, ...changes }, one)

    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ errors: [{ pointer: at }] })
  })
})

test.each([
  { what: 'a batch where one is taken', path: TASKS, headers: many, says: 'POST /api/v1/tasks/batch' },
  { what: 'one where a batch is taken', path: BATCH, headers: one, says: 'POST /api/v1/tasks' },
])('$what is sent to the other route', async ({ path, headers, says }) => {
  const api = await anApi()

  const answer = await api.post(path, [event], headers)

  expect(answer.status).toBe(415)
  expect(await answer.json()).toMatchObject({ detail: expect.stringContaining(`event`) })
  expect(answer.headers.get('accept')).toContain('cloudevents')
  expect(await (await api.post(path, [event], headers)).text()).toContain(says)
})
