// Reading tasks on a real database: status, long polls, lists and pages, requests, operations, health.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { taskPageSchema } from '../../src/status/list-routes.ts'
import { type TaskJson, taskSchema } from '../../src/status/task-json.ts'
import { storySchema } from '../../src/why/story.ts'
import { type LiveApi, liveApi } from './live-api.ts'

const TASKS = '/api/v1/tasks'
const task = { name: 'trial.echo', payload: 1 }
const CONSUMER = '01890000-0000-7000-8000-00000000000c'

async function submit({ api }: LiveApi, body: object = {}, headers: Record<string, string> = {}): Promise<string> {
  const answer = await api.post(TASKS, { ...task, ...body }, headers)
  expect(answer.status).toBe(202)
  return ((await answer.json()) as { id: string }).id
}

async function read({ api }: LiveApi, id: string): Promise<TaskJson> {
  return taskSchema.strict().parse(await (await api.get(`${TASKS}/${id}`)).json())
}

/** Puts a task where a consumer would have left it after one attempt. */
async function end(live: LiveApi, id: string, status: 'SUCCESS' | 'FAILED', result: unknown = null): Promise<void> {
  const error = JSON.stringify({ name: 'TypeError', message: 'no such bot', stack: 'at secret.ts:1' })
  const [outcome, failure] = status === 'FAILED' ? ['failure', error] : ['success', null]
  await live.sql(
    `with gone as (delete from unfinished where task_id = $1), letter as (
       insert into dead_letter (task_id, name, queue, client, failed_at, reason, error, fingerprint)
       select id, name, queue, client, clock_timestamp(), 'non_retryable', $4, 'abcdefabcdefabcd' from task where id = $1 and $2 = 'FAILED'
     )
     insert into finished (task_id, status, attempt, failures, crashes, result, finished_at, consumer, started_at, outcome,
                           error, fingerprint)
     values ($1, $2, 1, case when $2 = 'FAILED' then 1 else 0 end, 0, $5, clock_timestamp(), '${CONSUMER}', clock_timestamp(),
             $3, $4, case when $4::jsonb is not null then 'abcdefabcdefabcd' end)`,
    [id, status, outcome, failure, JSON.stringify(result)],
  )
}

describe('one task', () => {
  test('is read at both addresses, changes its ETag with its state, and says when to look again', async () => {
    const live = await liveApi()
    const id = await submit(live, { delay: '30s', tags: ['a'] }, { 'x-request-id': 'r-1' })

    const first = await live.api.get(`${TASKS}/${id}`)
    const etag = first.headers.get('etag') ?? ''
    const body = taskSchema.strict().parse(await first.json())
    expect(body).toMatchObject({ id, status: 'PENDING', requestId: 'r-1', tags: ['a'], attempts: [], attempt: 0 })
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(25)
    expect(await (await live.api.get(`${TASKS}/${id}/status`)).json()).toEqual(body)
    expect((await live.api.get(`${TASKS}/${id}`, { 'if-none-match': etag })).status).toBe(304)

    await end(live, id, 'SUCCESS', { answer: 42 })

    const later = await live.api.get(`${TASKS}/${id}`, { 'if-none-match': etag })
    expect(later.status).toBe(200)
    expect(later.headers.get('retry-after')).toBeNull()
    expect(await later.json()).toMatchObject({
      status: 'SUCCESS',
      result: { answer: 42 },
      attempts: [{ attempt: 1, outcome: 'success' }],
    })
  })

  test('that ends is told at once to who waits for it, by GET and by POST', async () => {
    const live = await liveApi()
    const waitingPost = live.api.post(TASKS, task, { prefer: 'wait=10', 'x-request-id': 'r-w' })
    let id = ''
    while (id === '') id = ((await live.sql('select id from task'))[0]?.id as string) ?? ''
    const waitingGet = live.api.get(`${TASKS}/${id}`, { prefer: 'wait=10' })
    await sleep(200)

    const begun = performance.now()
    await end(live, id, 'SUCCESS', 7)
    const answers = await Promise.all([waitingPost, waitingGet])

    expect(performance.now() - begun).toBeLessThan(1_500)
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=10'])
      expect(taskSchema.strict().parse(await answer.json())).toMatchObject({ id, status: 'SUCCESS', result: 7 })
    }
    expect(answers[0]?.headers.get('location')).toBe(`${TASKS}/${id}`)
  })

  test('that does not end in time is answered as it stands', async () => {
    const live = await liveApi()

    const answer = await live.api.post(TASKS, task, { prefer: 'respond-async, wait=1' })

    expect(answer.status).toBe(202)
    expect(answer.headers.get('preference-applied')).toBe('wait=1')
    expect(live.api.waiter.waiting).toBe(0)
  })
})

describe('lists', () => {
  test('go through all tasks page by page, newest first, each once, while new ones arrive', async () => {
    const live = await liveApi()
    const ids: string[] = []
    for (let index = 0; index < 25; index++) ids.push(await submit(live))

    const seen: string[] = []
    let next: string | null = `${TASKS}?limit=10`
    while (next !== null) {
      const answer = await live.api.get(next)
      seen.push(
        ...taskPageSchema
          .strict()
          .parse(await answer.json())
          .items.map(({ id }) => id),
      )
      next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
      await submit(live)
    }

    expect(seen).toEqual(ids.toReversed())
  })

  test('a cursor of other filters is refused', async () => {
    const live = await liveApi()
    for (let index = 0; index < 3; index++) await submit(live)
    const { nextCursor } = taskPageSchema.parse(await (await live.api.get(`${TASKS}?limit=1`)).json())

    const answer = await live.api.get(`${TASKS}?limit=1&queue=trial&cursor=${nextCursor}`)

    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('other filters') })
  })

  test('each filter finds what it names and nothing else', async () => {
    const live = await liveApi()
    const before = new Date(Date.now() - 60_000).toISOString()
    const special = await submit(
      live,
      { name: 'trial.sleep', payload: { ms: 1 }, queue: 'conversations', userId: 'u-1', tags: ['x', 'y'] },
      { 'x-request-id': 'r-9' },
    )
    const failed = await submit(live)
    await end(live, failed, 'FAILED')
    const other = await submit(live)
    const find = async (query: string): Promise<string[]> => {
      const answer = await live.api.get(`${TASKS}${query}`)
      return taskPageSchema
        .strict()
        .parse(await answer.json())
        .items.map(({ id }) => id)
    }

    for (const query of [
      '?name=trial.sleep',
      '?queue=conversations',
      '?userId=u-1',
      '?tag=y',
      '?requestId=r-9',
      '/my-tasks?userId=u-1',
    ]) {
      expect(await find(query), query).toEqual([special])
    }
    expect(await find('?status=FAILED')).toEqual([failed])
    expect(await find('?errorFingerprint=abcdefabcdefabcd')).toEqual([failed])
    expect(await find('?status=PENDING&queue=trial')).toEqual([other])
    expect(await find(`?createdAfter=${before}`)).toHaveLength(3)
    expect(await find(`?createdBefore=${before}`)).toEqual([])
    expect(await find('?createdAfter=0001-01-01T00:00:00Z')).toHaveLength(3)
    expect(await find('?createdAfter=9999-12-31T23:59:59Z')).toEqual([])
  })
})

test('a request leads to its tasks, what happened to them, and why', async () => {
  const live = await liveApi()
  const one = await submit(live, {}, { 'x-request-id': 'r-5' })
  const two = await submit(live, { delay: '1h' }, { 'x-request-id': 'r-5' })
  await end(live, one, 'FAILED')

  const answer = await live.api.get('/api/v1/requests/r-5')
  const request = storySchema.strict().parse(await answer.json())

  expect(request.tasks.map(({ id }) => id)).toEqual([one, two])
  expect(request.tasks[0]?.why).toMatch(
    /^It failed for good at attempt 1, .*: attempt 1 failed: TypeError: no such bot\.$/,
  )
  expect(request.tasks[1]?.why).toMatch(/^It waits for its time/)
  expect(request.tasks[0]?.timeline.map(({ event }) => event)).toEqual([
    'accepted',
    'attempt_started',
    'attempt_ended',
    'dead_lettered',
  ])
  expect(request.traceIds).toHaveLength(2)
  expect((await live.api.get('/api/v1/requests/r-6')).status).toBe(404)
})

describe('operations', () => {
  test('a failed task is sent round again, its history kept; one that is not failed cannot be', async () => {
    const live = await liveApi()
    const id = await submit(live, {}, { 'x-request-id': 'r-1' })
    expect((await live.api.post(`${TASKS}/${id}/retry`, {})).status).toBe(409)
    await end(live, id, 'FAILED')

    const answer = await fetch(`${live.api.url}${TASKS}/${id}/retry`, { method: 'POST' })

    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ id, status: 'PENDING' })
    expect(await read(live, id)).toMatchObject({
      status: 'PENDING',
      attempt: 1,
      failures: 0,
      attempts: [{ outcome: 'failure' }],
    })
    expect(await live.sql('select attempt from outbox where task_id = $1 order by attempt desc limit 1', [id])).toEqual(
      [{ attempt: 2 }],
    )
  })

  test('an unfinished task is cancelled with a reason, once', async () => {
    const live = await liveApi()
    const id = await submit(live, {}, { 'x-request-id': 'r-1' })

    const answers = [
      await live.api.post(`${TASKS}/${id}/cancel`, { reason: 'not needed' }),
      await live.api.post(`${TASKS}/${id}/cancel`, {}),
      await live.api.post(`${TASKS}/${id}/cancel`, { why: 1 }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([202, 409, 422])
    expect(await answers[1]?.json()).toMatchObject({
      type: '/docs#problem-wrong-state',
      detail: expect.stringContaining('CANCELLED'),
    })
    const request = storySchema.parse(await (await live.api.get('/api/v1/requests/r-1')).json())
    expect(request.tasks[0]?.timeline).toContainEqual(
      expect.objectContaining({
        event: 'cancelled',
        detail: expect.stringMatching(/^by anonymous: not needed \(request .+\)$/),
      }),
    )
  })
})

test('health tells of the database and the consumers; being ready does not depend on the broker', async () => {
  const live = await liveApi({ broker: () => ({ connected: false, detail: 'ECONNREFUSED' }) })
  await submit(live)

  const ready = await live.api.get('/health/ready')
  const consumers = await live.api.get('/health/consumers')

  expect([ready.status, await ready.json()]).toEqual([200, { ready: true, checks: { postgresql: 'ok' } }])
  expect(consumers.status).toBe(503)
  expect(await consumers.json()).toMatchObject({
    ok: false,
    consumers: 0,
    queues: [{ queue: 'trial', pending: 1, slots: 0 }],
    problems: [
      expect.stringContaining('the broker is not connected'),
      'no consumer is alive',
      expect.stringContaining('queue trial'),
    ],
  })
  expect((await live.api.get('/health/live')).status).toBe(200)
})

test('a database without our tables is not ready', async () => {
  const live = await liveApi()
  await live.sql('drop table schema_migration')

  const ready = await live.api.get('/health/ready')

  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ ready: false, checks: { postgresql: expect.stringContaining('migrat') } })
})

describe('bursts', () => {
  test.each(['5000000d', '2000000d', '5', '2026-02-30T00:00:00Z', '2026-01-31T03:00:00', 'release 1.4'])(
    'since %s is refused with the fix',
    async (since) => {
      const { api } = await liveApi()

      const answer = await api.get(`/api/v1/bursts?since=${encodeURIComponent(since)}`)

      expect(answer.status).toBe(400)
      expect(((await answer.json()) as { detail: string }).detail).toMatch(/"since".*with an offset.*up to 3650d/)
    },
  )

  test('since a duration is reckoned by the database’s clock', async () => {
    const { api, sql } = await liveApi()
    const [before] = await sql('select clock_timestamp() as now')

    const { since } = (await (await api.get('/api/v1/bursts?since=3650d')).json()) as { since: string }

    expect(Date.parse(since)).toBeGreaterThanOrEqual(Number(before?.now) - 3650 * 86_400_000)
    expect((await api.get('/api/v1/bursts?since=2026-01-31T04:00:00%2B01:00')).status).toBe(200)
  })
})
