// Promise: a loop does its step again and again, whatever the step throws, until it is stopped, and then not once more.
import { expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { createLoop, type LoopOptions } from '../../src/runtime/loop.ts'
import { until } from '../support/until.ts'

const NEVER_MS = 3_600_000

const aLoop = (step: LoopOptions['step'], everyMs = NEVER_MS) =>
  createLoop({ name: 'test', everyMs, log: silentLog, step })

test('the first step is done at once, the next one after the wait', async () => {
  let steps = 0
  const loop = aLoop(async () => {
    steps += 1
    return false
  }, 20)

  await loop.start()

  expect(steps).toBe(1)
  await until('more steps', () => steps >= 3, { everyMs: 5 })
  await loop.stop()
})

test('a step that says there is more to do is repeated without a wait', async () => {
  let steps = 0
  const loop = aLoop(async () => {
    steps += 1
    return steps < 100
  })

  await loop.start()

  await until('a hundred steps', () => steps === 100, { everyMs: 1 })
  await loop.stop()
})

test('a step that throws is repeated', async () => {
  let steps = 0
  const loop = aLoop(async () => {
    steps += 1
    throw new Error('not now')
  }, 5)

  await loop.start()

  await until('a step after a failed one', () => steps >= 2, { everyMs: 1 })
  await loop.stop()
})

test('waking it begins the next step now', async () => {
  let steps = 0
  const loop = aLoop(async () => {
    steps += 1
    return false
  })
  await loop.start()

  await until('the step after the wake', () => {
    loop.wake()
    return steps >= 2
  })

  await loop.stop()
})

test('stopping waits for the step under way, tells it by its signal, and no other follows', async () => {
  let steps = 0
  let hasEnded = false
  const loop = aLoop(async (signal) => {
    steps += 1
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    hasEnded = true
    return true
  })
  await loop.start()

  await loop.stop()

  expect(hasEnded).toBe(true)
  expect(steps).toBe(1)
})

test('stopping ends a long wait, and stopping twice or what never ran is fine', async () => {
  const loop = aLoop(async () => false)
  await aLoop(async () => false).stop()
  await loop.start()

  await loop.stop()
  await loop.stop()
})

test('starting twice is one loop, and a stopped loop can start again', async () => {
  let steps = 0
  const loop = aLoop(async () => {
    steps += 1
    return false
  })

  await loop.start()
  await loop.start()
  expect(steps).toBe(1)

  await loop.stop()
  await loop.start()
  expect(steps).toBe(2)
  await loop.stop()
})
