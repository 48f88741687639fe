// Promise: waits end when they are told to, an unanswered question is asked again, and none of it waits for too long.
import { expect, test } from 'vitest'
import { pause, settledWithin, untilAnswered } from '../../src/runtime/wait.ts'

const HOUR_MS = 3_600_000
const never = new Promise<never>(() => undefined)

test('a pause ends when its signal aborts, and does not begin when it has', async () => {
  const stop = new AbortController()
  const paused = pause(HOUR_MS, stop.signal)

  stop.abort()

  await paused
  await pause(HOUR_MS, stop.signal)
})

test('work that never settles is waited for no longer than said, and a failure of it is no failure of the wait', async () => {
  await settledWithin(1, never)
  await settledWithin(HOUR_MS, Promise.reject(new Error('it failed')))
  await settledWithin(HOUR_MS, Promise.resolve())
})

test('a question is asked until it is answered, whether it failed or had no answer yet', async () => {
  const answers = [() => Promise.reject(new Error('away')), async () => undefined, async () => 'yes']
  const heard: string[] = []

  const answer = await untilAnswered({
    ask: () => (answers.shift() as () => Promise<string | undefined>)(),
    signal: new AbortController().signal,
    firstWaitMs: 1,
    longestWaitMs: 2,
    onError: ({ message }) => heard.push(message),
  })

  expect(answer).toBe('yes')
  expect(heard).toEqual(['away'])
})

test('a question that nobody answers ends with its signal', async () => {
  const stop = new AbortController()
  const asking = untilAnswered({
    ask: async () => {
      stop.abort()
      return undefined
    },
    signal: stop.signal,
    firstWaitMs: HOUR_MS,
    longestWaitMs: HOUR_MS,
    onError: () => undefined,
  })

  expect(await asking).toBeUndefined()
})

test('an error that asking again cannot help ends the asking', async () => {
  const asking = untilAnswered({
    ask: () => Promise.reject(new Error('no such table')),
    signal: new AbortController().signal,
    firstWaitMs: HOUR_MS,
    longestWaitMs: HOUR_MS,
    onError: (error) => {
      throw error
    },
  })

  await expect(asking).rejects.toThrow('no such table')
})
