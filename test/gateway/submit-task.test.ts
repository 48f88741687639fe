// What a submission is answered, and what of it is handed on.

import { defineTask } from 'nightshift-tasks'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Caller } from '../../src/core/caller.ts'
import type { Commits } from '../../src/gateway/commit.ts'
import { acceptedSchema } from '../../src/gateway/schemas.ts'
import { metrics } from '../../src/runtime/metrics.ts'
import { anApi, fakeCommits } from '../http/an-api.ts'
import { contractsOf } from '../support/packs.ts'

const TASKS = '/api/v1/tasks'
const task = { name: 'trial.echo', payload: { a: 1 } }
const conversation = { conversation_id: 'c-1', user_id: 'u-1', bot_id: 'b-1', conversation_log: [] }
const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

describe('an accepted task', () => {
  test('is answered 202 with where and when to look', async () => {
    const api = await anApi()

    const answer = await api.post(TASKS, task, { 'x-request-id': 'r-1', traceparent: trace })

    const body = acceptedSchema.strict().parse(await answer.json())
    expect(answer.status).toBe(202)
    expect(body).toEqual({
      id: body.id,
      status: 'PENDING',
      statusUrl: `${TASKS}/${body.id}`,
      requestId: 'r-1',
      traceId: 'a'.repeat(32),
      ahead: 0,
      estimatedStart: body.estimatedStart,
    })
    expect(answer.headers.get('ratelimit')).toMatch(/^"trial";r=\d+;t=1$/)
    expect(answer.headers.get('location')).toBe(body.statusUrl)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(answer.headers.get('idempotency-replayed')).toBeNull()
  })

  test('is stored as it was sent, with everything that was asked for', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })
    const payload = { b: ['\u{1f600}', -0.5, null], a: { toJSON: 'x', length: 3 } }

    const asked = {
      name: 'trial.echo',
      payload,
      delay: '10m',
      expiresAfter: '2h',
      queue: 'conversations',
      maxAttempts: 3,
      tags: ['x'],
      userId: 'u',
    }
    const answer = await api.post(TASKS, asked, { 'x-client-id': 'shop', traceparent: trace, tracestate: 'a=b' })

    expect(answer.headers.get('retry-after')).toBe('600')
    expect(commits.tasks).toMatchObject([
      {
        name: 'trial.echo',
        payload,
        queue: 'conversations',
        client: 'shop',
        maxAttempts: 3,
        tags: ['x'],
        userId: 'u',
        delayMs: 600_000,
        runAt: null,
        expiresAfterMs: 7_200_000,
        traceparent: trace,
        tracestate: 'a=b',
        keys: [],
      },
    ])
  })

  test('keeps what its schema would drop, fill in or change', async () => {
    const commits = fakeCommits()
    const payload = z.object({ a: z.string().trim(), b: z.int().default(7) })
    const contract = defineTask({ name: 'loose.task', summary: 'Loose.', payload, queue: 'trial', effects: 'none' })
    const api = await anApi({ commits, contracts: contractsOf([contract]) })

    await api.post(TASKS, { name: 'loose.task', payload: { a: ' x ', extra: true } })

    expect(commits.tasks.map((one) => one.payload)).toEqual([{ a: ' x ', extra: true }])
  })

  test('that may start in the past starts at once; one with an offset starts at that moment', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })
    const ahead = new Date(Date.now() + 3_600_000)

    await api.post(TASKS, { ...task, runAt: '0000-01-01T00:00:00Z' })
    await api.post(TASKS, {
      ...task,
      runAt: new Date(ahead.getTime() + 7_200_000).toISOString().replace('Z', '+02:00'),
    })

    expect(commits.tasks.map(({ runAt }) => runAt)).toEqual([null, ahead.toISOString()])
  })

  test('takes its user from the contract when the client names none', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })

    await api.post('/api/v1/conversations/end', conversation)

    expect(commits.tasks).toMatchObject([
      { name: 'conversation.ended', queue: 'conversations', userId: 'u-1', payload: conversation },
    ])
  })
})

describe('a repeated request', () => {
  const key = { 'idempotency-key': 'k-1' }

  test('is answered as the first was, and says so', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })

    const first = await (
      await api.post(TASKS, { ...task, payload: { a: 1, b: 2 } }, { ...key, 'x-request-id': 'r-1' })
    ).json()
    const again = await api.post(
      TASKS,
      { payload: { b: 2, a: 1 }, name: task.name },
      { 'idempotency-key': '"k-1"', 'x-request-id': 'r-2' },
    )

    expect(again.status).toBe(202)
    // How long it would wait is said of a new task only.
    const { ahead: _, estimatedStart: __, ...same } = first as Record<string, unknown>
    expect(await again.json()).toEqual(same)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('x-request-id')).toBe('r-2')
    expect(commits.tasks).toHaveLength(1)
  })

  const others = [
    { payload: { a: 2 } },
    { delay: '1s' },
    { userId: 'u' },
    { maxAttempts: 2 },
    { tags: ['t'] },
    { queue: 'trial' },
  ]
  test.each(others)('with another body is refused: %o', async (change) => {
    const api = await anApi()
    await api.post(TASKS, task, key)

    const answer = await api.post(TASKS, { ...task, ...change }, key)

    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({
      type: '/docs#problem-idempotency-key-reused',
      detail: expect.stringContaining('"k-1"'),
    })
  })

  test('of another client is another task', async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })

    await api.post(TASKS, task, { ...key, 'x-client-id': 'a' })
    await api.post(TASKS, task, { ...key, 'x-client-id': 'b' })

    expect(commits.tasks).toHaveLength(2)
  })

  test("is known by the contract's own key on both routes, with and without a key of the client", async () => {
    const commits = fakeCommits()
    const api = await anApi({ commits })
    const asTask = { name: 'conversation.ended', payload: conversation }

    const answers = [
      await api.post('/api/v1/conversations/end', conversation),
      await api.post(TASKS, asTask),
      await api.post(TASKS, asTask, key),
      await api.post('/api/v1/conversations/end', { ...conversation, bot_id: 'other' }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 422])
    expect(commits.tasks).toHaveLength(1)
    expect(commits.tasks[0]?.keys.map((one) => one.key)).toEqual(['name:conversation.ended:c-1'])
  })
})

describe('when the answer does not come by itself', () => {
  test('confirmed mode waits for the broker for a while and says whether it confirmed', async () => {
    const fake = fakeCommits()
    const confirmations = [Promise.resolve([true]), new Promise<boolean[]>(() => undefined), Promise.resolve([false])]
    const commits: Commits = {
      commit: async (given) => {
        const confirmed = confirmations[fake.tasks.length]
        return { ...(await fake.commit(given)), ...(confirmed ? { confirmed } : {}) }
      },
    }
    const api = await anApi({ commits, acceptMode: 'confirmed', waits: { confirmMs: 50 } })

    const answers = [await api.post(TASKS, task), await api.post(TASKS, task), await api.post(TASKS, task)]

    expect(
      await Promise.all(answers.map(async (answer) => ((await answer.json()) as { confirmed: boolean }).confirmed)),
    ).toEqual([true, false, false])
  })

  test('a database that never answers makes a 503 after a while', async () => {
    const waits = { commitMs: 50 }
    const api = await anApi({ commits: { commit: () => new Promise(() => undefined) }, waits })

    const answer = await api.post(TASKS, task)

    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('2')
  })

  test('a row that only the database refuses is still the fault of the input, not ours', async () => {
    const commit = async () => {
      throw Object.assign(new Error('unsupported Unicode escape sequence'), { code: '22P05' })
    }
    const api = await anApi({ commits: { commit } })

    expect((await api.post(TASKS, task)).status).toBe(422)
  })
})

describe('a refused submission', () => {
  /** How often a task was refused for this reason, by the metric. */
  const refusals = async (reason: string): Promise<number> =>
    (await metrics.tasksRejected.get()).values.find(({ labels }) => labels.reason === reason)?.value ?? 0

  test.each([
    { what: 'no key', reason: 'unauthenticated', key: undefined, body: task },
    { what: 'a database that cannot tell whose key it is', reason: 'unavailable', key: 'k', body: task },
    { what: 'a bug of ours', reason: 'internal', key: 'bug', body: task },
    { what: 'a task that is none', reason: 'invalid-input', key: 'mine', body: { name: 'no.such' } },
  ])('is counted by its reason: $what', async ({ reason, key, body }) => {
    const findCaller = async (given: string): Promise<Caller> => {
      if (given === 'k') throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
      if (given === 'bug') throw new TypeError('of ours')
      return { client: 'mine', scopes: ['submit'] }
    }
    const api = await anApi({ findCaller })
    const before = await refusals(reason)

    await api.post(TASKS, body, key === undefined ? {} : { authorization: `Bearer ${key}` })

    expect(await refusals(reason)).toBe(before + 1)
  })
})
