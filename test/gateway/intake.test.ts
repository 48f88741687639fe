// Promise: tasks that arrive together are worked on together, each with its own answer; a repeat is not new work, also
// where the queue is full; a client over its share is refused before its body is read.
import { expect, test } from 'vitest'
import type { NewTask } from '../../src/core/new-task.ts'
import type { Admission } from '../../src/gateway/admit.ts'
import type { Commits } from '../../src/gateway/commit.ts'
import { anApi, fakeCommits } from '../http/an-api.ts'

const TASKS = '/api/v1/tasks'
const echo = (payload: unknown) => ({ name: 'trial.echo', payload })
const standing = { queue: 'trial', backlog: 20_000, limit: 10_000, sharePerSecond: 1, left: 0, startsInSeconds: 90 }
const shut: Admission['admit'] = () => ({ isAdmitted: false, standing, retryAfterSeconds: 17 })

/** Commits that wait until they are let go, and tell the tasks of each. */
function heldCommits() {
  const fake = fakeCommits()
  const gate = Promise.withResolvers<void>()
  const batches: (readonly NewTask[])[] = []
  const commits: Commits = {
    commit: async (tasks) => {
      batches.push(tasks)
      await gate.promise
      return fake.commit(tasks)
    },
  }
  return { commits, batches, fake, letGo: gate.resolve }
}

test('requests that come together are committed together, two commits at a time', async () => {
  const { commits, batches, letGo } = heldCommits()
  const api = await anApi({ commits })

  const answers = Array.from({ length: 40 }, (_, at) => api.post(TASKS, echo(at)))
  await expect.poll(() => batches.length).toBe(2)
  letGo()

  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 202))
  expect(batches.flat()).toHaveLength(40)
  expect(batches.length).toBeLessThan(40)
})

test('of two requests with one key the second waits for the first, and the third for neither of the others', async () => {
  const { commits, batches, fake, letGo } = heldCommits()
  const api = await anApi({ commits })
  const keyed = (payload: unknown, key: string) => api.post(TASKS, echo(payload), { 'idempotency-key': key })

  const first = keyed(1, 'k')
  await expect.poll(() => batches.length).toBe(1)
  const [second, other] = [keyed(2, 'k'), keyed(3, 'other')]
  await expect.poll(() => batches.length).toBe(2)
  expect(batches.map((batch) => batch.map(({ payload }) => payload))).toEqual([['1'], ['3']])
  letGo()

  expect((await Promise.all([first, second, other])).map(({ status }) => status)).toEqual([202, 422, 202])
  expect(fake.tasks.map(({ payload }) => payload)).toEqual([1, 3])
})

test('while a queue is calm the door is asked once for all tasks of a client and type', async () => {
  const asked: { readonly name: string; readonly count: number }[] = []
  const api = await anApi({
    isCalm: () => true,
    admit: ({ name, queue }, count) => {
      asked.push({ name, count })
      return { isAdmitted: true, standing: { ...standing, queue } }
    },
  })
  const items = [...Array(100).keys()].map((at) => (at % 2 ? echo(at) : { name: 'trial.sleep', payload: { ms: 1 } }))

  const answer = await api.post(`${TASKS}/batch`, items)

  expect(((await answer.json()) as { accepted: boolean }[]).every(({ accepted }) => accepted)).toBe(true)
  expect(asked.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
    { name: 'trial.echo', count: 50 },
    { name: 'trial.sleep', count: 50 },
  ])
})

test('a repeat of an accepted task is answered as one though the queue is full; a new key and no key are refused', async () => {
  const commits = fakeCommits()
  let isFull = false
  const open: Admission['admit'] = () => ({ isAdmitted: true, standing })
  const repeatsAmong = async (tasks: readonly NewTask[]) => {
    const known = new Set(commits.tasks.flatMap(({ keys }) => keys.map(({ key }) => key)))
    return new Set(tasks.filter(({ keys }) => keys.some(({ key }) => known.has(key))).map(({ id }) => id))
  }
  const admit: Admission['admit'] = (...asked) => (isFull ? shut(...asked) : open(...asked))
  const api = await anApi({ commits, admit, repeatsAmong })
  const keyed = (key: string) => api.post(TASKS, echo(1), { 'idempotency-key': key })

  await keyed('known')
  isFull = true
  const answers = [await keyed('known'), await keyed('new'), await api.post(TASKS, echo(1))]

  expect(answers.map(({ status }) => status)).toEqual([202, 429, 429])
  expect(answers[0]?.headers.get('idempotency-replayed')).toBe('true')
  expect(commits.tasks).toHaveLength(1)
})

test('when it cannot be told whether it is a repeat, a full queue refuses it', async () => {
  const api = await anApi({ admit: shut, repeatsAmong: () => Promise.reject(new Error('away')) })

  expect((await api.post(TASKS, echo(1), { 'idempotency-key': 'k' })).status).toBe(429)
})

test('a large body of a client over its share is refused before it is read', async () => {
  const api = await anApi({ admit: shut })
  const broken = `{"payload":{"text":"${'x'.repeat(20_000)}","name":"no.such"},"name":"trial.echo",`
  const small = '{"name":"trial.echo",'

  expect((await api.post(TASKS, broken)).status).toBe(429)
  expect((await api.post(TASKS, small)).status).toBe(400)
  // It may be a repeat, which a full queue does not refuse: so it is read.
  expect((await api.post(TASKS, broken, { 'idempotency-key': 'k' })).status).toBe(400)
})

test('in the strict mode what the broker does not confirm in time is answered 503, with the id of the stored task', async () => {
  const fake = fakeCommits()
  const confirmations = [Promise.resolve([true]), new Promise<boolean[]>(() => undefined), Promise.resolve([false])]
  const commits: Commits = {
    commit: async (tasks) => {
      const confirmed = confirmations[fake.tasks.length] as Promise<boolean[]>
      return { ...(await fake.commit(tasks)), confirmed }
    },
  }
  const api = await anApi({ commits, acceptMode: 'confirmed-strict', waits: { confirmMs: 50 } })

  const answers = [await api.post(TASKS, echo(1)), await api.post(TASKS, echo(2)), await api.post(TASKS, echo(3))]

  expect(answers.map(({ status }) => status)).toEqual([202, 503, 503])
  expect(answers.map(({ headers }) => headers.get('retry-after') !== null)).toEqual([true, true, true])
  const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { id: string; statusUrl: string }[]
  expect(bodies.map(({ id }) => id)).toEqual(fake.tasks.map(({ id }) => id))
  expect(bodies.map(({ statusUrl }) => statusUrl)).toEqual(fake.tasks.map(({ id }) => `/api/v1/tasks/${id}`))
})

test('a key that may only submit is told nothing of the end', async () => {
  const callers = {
    submits: { client: 'a', scopes: ['submit'] as const },
    reads: { client: 'a', scopes: ['submit', 'read'] as const },
  }
  const api = await anApi({ callers })
  const prefer = (key: string) =>
    api.post(TASKS, echo(1), { authorization: `Bearer ${key}`, prefer: 'wait=1' }).then(({ headers }) => headers)

  expect((await prefer('submits')).get('preference-applied')).toBeNull()
  expect((await prefer('reads')).get('preference-applied')).toBe('wait=1')
})
