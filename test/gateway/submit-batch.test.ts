// A batch: one answer per item, in order, each accepted or refused on its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { inOrder } from '../../src/gateway/in-order.ts'
import type { BatchAnswerItem } from '../../src/gateway/submit-batch.ts'
import { anApi, fakeCommits } from '../http/an-api.ts'

const BATCH = '/api/v1/tasks/batch'
const ndjson = { 'content-type': 'application/x-ndjson' }
const task = (payload: unknown, key?: string): object => ({
  name: 'trial.echo',
  payload,
  ...(key === undefined ? {} : { key }),
})
const linesOf = (text: string): BatchAnswerItem[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchAnswerItem)
const pointersOf = (item: BatchAnswerItem | undefined): unknown =>
  item && !item.accepted ? item.problem.errors?.map(({ pointer }) => pointer) : undefined

const MIXED = [
  JSON.stringify(task(1, 'a')),
  '{"name":"trial.echo","payload":',
  JSON.stringify(task(1, 'a')),
  JSON.stringify({ name: 'trial.sleep', payload: { ms: 'x' }, key: 'b' }),
  JSON.stringify({ ...task(2), surprise: true }),
  JSON.stringify(task(3, 'a')),
  `{"name":"trial.echo","payload":"\\u0000","key":"c"}`,
  `{"name":"trial.echo","payload":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
  JSON.stringify(task('x'.repeat(262_144), 'd')),
  '7',
  JSON.stringify(task(4, 'e')),
]

describe.each([
  { how: 'lines', headers: ndjson, body: `${MIXED.join('\n\r\n \n')}\n`, malformed: true },
  { how: 'an array', headers: {}, body: `[${MIXED.toSpliced(1, 1, '"{"').join(',')}]`, malformed: false },
])('a batch of $how', ({ headers, body, malformed }) => {
  test('answers each item in order, and one that is refused harms no other', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })

    const answer = await api.post(BATCH, body, headers as Record<string, string>)
    const text = await answer.text()
    const items = malformed ? linesOf(text) : (JSON.parse(text) as BatchAnswerItem[])

    expect(answer.status).toBe(202)
    expect(items.map(({ index }) => index)).toEqual(MIXED.map((_, index) => index))
    expect(items.map(({ accepted }) => accepted)).toEqual([
      true,
      false,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ])
    expect(items.map(({ key }) => key)).toEqual([
      'a',
      undefined,
      'a',
      'b',
      undefined,
      'a',
      'c',
      undefined,
      malformed ? undefined : 'd',
      undefined,
      'e',
    ])
    expect(items.map((item) => (item.accepted ? 202 : item.problem.status))).toEqual([
      202,
      malformed ? 400 : 422,
      202,
      422,
      422,
      422,
      422,
      422,
      413,
      422,
      202,
    ])
    expect(items[2]).toMatchObject({ replayed: true, id: (items[0] as { id: string }).id })
    expect(items[5]).toMatchObject({ problem: { type: '/docs#problem-idempotency-key-reused' } })
    expect([pointersOf(items[3]), pointersOf(items[4]), pointersOf(items[6])]).toEqual([
      ['/payload/ms'],
      ['/surprise'],
      ['/payload'],
    ])
    expect(commits.tasks.map(({ payload }) => payload)).toEqual([1, 4])
  })
})

test('lines are answered while the next are still on their way', async () => {
  const api = await anApi()
  const way = new TransformStream<Uint8Array, Uint8Array>()
  const writer = way.writable.getWriter()
  const write = (text: string): Promise<void> => writer.write(new TextEncoder().encode(text))
  const answering = fetch(`${api.url}${BATCH}`, {
    method: 'POST',
    headers: ndjson,
    body: way.readable,
    duplex: 'half',
  } as RequestInit)

  await write(`${JSON.stringify(task(1))}\n{"na`)
  const reader = ((await answering).body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  const first = await reader.read()
  await write('me":"trial.echo","payload":2}')
  await writer.close()
  const second = await reader.read()

  expect([JSON.parse(first.value ?? ''), JSON.parse(second.value ?? '')]).toMatchObject([
    { index: 0, accepted: true },
    { index: 1, accepted: true },
  ])
})

test('no more than 500 items of a batch are under way at once, and all are answered', async () => {
  const fake = fakeCommits()
  let underWay = 0
  let most = 0
  const commit: typeof fake.commit = async (tasks) => {
    underWay += tasks.length
    most = Math.max(most, underWay)
    await sleep(1)
    underWay -= tasks.length
    return fake.commit(tasks)
  }
  const api = await anApi({ commits: { commit } })

  const answer = await api.post(
    BATCH,
    Array.from({ length: 3_000 }, (_, index) => JSON.stringify(task(index))).join('\n'),
    ndjson,
  )

  expect(linesOf(await answer.text()).filter(({ accepted }) => accepted)).toHaveLength(3_000)
  expect(most).toBeLessThanOrEqual(500)
  expect(fake.sizes.length).toBeLessThan(60)
})

test('a database that goes away midway is waited for once, not once per item', async () => {
  const fake = fakeCommits()
  let refused = 0
  const commit: typeof fake.commit = async (tasks) => {
    if (fake.tasks.length === 0) return fake.commit(tasks)
    refused += tasks.length
    await sleep(20)
    throw Object.assign(new Error('terminating connection'), { code: '57P01' })
  }
  const api = await anApi({ commits: { commit } })

  const answer = await api.post(
    BATCH,
    Array.from({ length: 2_000 }, (_, index) => task(index)),
  )

  const items = (await answer.json()) as BatchAnswerItem[]
  expect(items.filter(({ accepted }) => accepted)).toHaveLength(fake.tasks.length)
  expect(items.filter((item) => !item.accepted && item.problem.status === 503)).toHaveLength(2_000 - fake.tasks.length)
  expect(refused).toBeLessThanOrEqual(500)
})

describe('a batch that is refused as a whole', () => {
  test.each([
    { what: 'not an array', body: '{}', headers: {}, status: 422 },
    { what: 'not JSON', body: '[', headers: {}, status: 400 },
    { what: 'too many items', body: JSON.stringify(Array(10_001).fill(0)), headers: {}, status: 413 },
    { what: 'more than 8 MiB', body: ' '.repeat(8_388_609), headers: ndjson, status: 413 },
    { what: 'another type', body: '[]', headers: { 'content-type': 'text/csv' }, status: 415 },
    { what: 'compressed', body: '[]', headers: { ...ndjson, 'content-encoding': 'gzip' }, status: 415 },
    { what: 'a key for all', body: '[]', headers: { 'idempotency-key': 'k' }, status: 400 },
  ])('$what', async ({ body, headers, status }) => {
    const api = await anApi()

    const answer = await api.post(BATCH, body, headers as Record<string, string>)

    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    await answer.text()
  })
})

test('the 10 001st line is refused and the rest is not read', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits })

  const answer = await api.post(BATCH, `${JSON.stringify(task(1))}\n`.repeat(10_100), ndjson)

  const items = linesOf(await answer.text())
  expect(items).toHaveLength(10_001)
  expect(items.at(-1)).toMatchObject({ accepted: false, problem: { status: 413 } })
  expect(commits.tasks).toHaveLength(10_000)
})

test('an empty batch is answered with nothing', async () => {
  const api = await anApi()
  expect(await (await api.post(BATCH, [])).json()).toEqual([])
  expect(await (await api.post(BATCH, '\n\n', ndjson)).text()).toBe('')
})

test('results come in order, and the error of the source comes after them', async () => {
  async function* source() {
    yield [30, 1]
    yield [10]
    throw new Error('the source broke')
  }
  const seen: number[] = []

  const reading = (async () => {
    for await (const group of inOrder(source(), 2, async (ms) => sleep(ms, ms))) seen.push(...group)
  })()

  await expect(reading).rejects.toThrow('the source broke')
  expect(seen).toEqual([30, 1, 10])
})
