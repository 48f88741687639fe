// The door says no as the standards have it, and tells the client what it needs to come again.
import { expect, test } from 'vitest'
import type { Admission } from '../../src/gateway/admit.ts'
import { anApi, fakeCommits } from '../http/an-api.ts'

const TASKS = '/api/v1/tasks'
const task = { name: 'trial.echo', payload: 1 }
const standing = { queue: 'trial', backlog: 12_345, limit: 10_000, sharePerSecond: 12.5, left: 0, startsInSeconds: 90 }
const shut: Admission['admit'] = () => ({ isAdmitted: false, standing, retryAfterSeconds: 17 })

test('a client over its share gets 429 with when to come again, and nothing is stored', async () => {
  const commits = fakeCommits()
  const api = await anApi({ commits, admit: shut })

  const answer = await api.post(TASKS, task)

  expect(answer.status).toBe(429)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': expect.stringMatching(/^application\/problem\+json/),
    'retry-after': '17',
    'ratelimit-policy': '"trial";q=125;w=10',
    ratelimit: '"trial";r=0;t=17',
  })
  expect(await answer.json()).toMatchObject({
    type: '/docs#problem-queue-full',
    status: 429,
    detail: 'queue trial is full for you: 12345 tasks wait, the limit is 10000, and you ask for more than your share',
    queue: 'trial',
    backlog: 12_345,
    limit: 10_000,
    sharePerSecond: 12.5,
    retryAfterSeconds: 17,
  })
  expect(commits.tasks).toEqual([])
})

test('when nothing is known of the queue it is our trouble: 503', async () => {
  const blind: Admission['admit'] = () => ({
    isAdmitted: false,
    standing: { ...standing, backlog: undefined },
    retryAfterSeconds: 3,
  })
  const api = await anApi({ admit: blind })

  const answer = await api.post(TASKS, task)

  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3'])
})

test('in a batch the items beyond the share are refused, each on its own', async () => {
  let left = 2
  const narrow: Admission['admit'] = (asked) => {
    left -= 1
    return left >= 0 ? { isAdmitted: true, standing: { ...standing, left } } : shut(asked, 1)
  }
  const api = await anApi({ admit: narrow })

  const answer = await api.post(`${TASKS}/batch`, [task, task, task])

  const items = (await answer.json()) as { accepted: boolean; problem?: object }[]
  expect(items.map(({ accepted }) => accepted)).toEqual([true, true, false])
  expect(items[2]?.problem).toMatchObject({ status: 429, retryAfterSeconds: 17 })
})

const ESTIMATES = [
  { what: 'a known backlog and pace', change: {}, says: { ahead: 12_345, estimatedStart: expect.any(String) } },
  { what: 'no pace', change: { startsInSeconds: undefined }, says: { ahead: 12_345 } },
  { what: 'no backlog figure', change: { backlog: undefined }, says: {} },
]

test.each(ESTIMATES)('a 202 says of the start what $what allows and no more', async ({ change, says }) => {
  const api = await anApi({ admit: () => ({ isAdmitted: true, standing: { ...standing, ...change } }) })

  const {
    id: _,
    status: __,
    statusUrl: ___,
    requestId: ____,
    traceId: _____,
    ...estimate
  } = (await (await api.post(TASKS, task)).json()) as Record<string, unknown>

  expect(estimate).toEqual(says)
})
