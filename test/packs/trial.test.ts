// Promise: the tasks for trying out wait, fail and echo as they are told.

import { isNonRetryable, isNotBefore } from 'nightshift-tasks'
import { anAttempt } from 'nightshift-tasks/testing'
import { expect, test } from 'vitest'
import handlers from '../../packs/trial/src/handlers.ts'

/** Runs a handler once, as the consumer would after `failures` failed attempts. */
async function run(name: string, payload: unknown, { failures = 0, signal = AbortSignal.timeout(5_000) } = {}) {
  const handler = handlers.find(({ contract }) => contract.name === name)
  if (!handler) throw new Error(`there is no ${name}`)
  return anAttempt(handler, { payload, task: { failures }, signal }).run()
}

test('trial.fail fails as often as it is told, then succeeds', async () => {
  const payload = { times: 2, message: 'no luck' }

  await expect(run('trial.fail', payload, { failures: 0 })).rejects.toThrow('no luck')
  await expect(run('trial.fail', payload, { failures: 1 })).rejects.toThrow('no luck')
  await expect(run('trial.fail', payload, { failures: 2 })).resolves.toEqual({ failed_before: 2 })
})

test('trial.fail can say that repeating is useless, or when to repeat', async () => {
  await expect(run('trial.fail', { times: 1, retryable: false })).rejects.toSatisfy(isNonRetryable)
  await expect(run('trial.fail', { times: 1, notBefore: '5s' })).rejects.toSatisfy(
    (thrown) => isNotBefore(thrown) && thrown.delayMs === 5_000,
  )
})

test('trial.sleep stops when it is asked to stop, trial.overrun does not', async () => {
  const stopped = AbortSignal.abort()

  await expect(run('trial.sleep', { ms: 60_000 }, { signal: stopped })).rejects.toThrow()
  await expect(run('trial.overrun', { ms: 20 }, { signal: stopped })).resolves.toEqual({ slept_ms: 20 })
})

test('trial.echo returns what it was given', async () => {
  const payload = { nested: ['…', null, 1.5] }

  await expect(run('trial.echo', payload)).resolves.toEqual(payload)
})
