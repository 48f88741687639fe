// Promise: an attempt that is told to stop learns it whenever it asks, by its signal and by the end of the wait for it.

import { Aborted } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { createStop } from '../../src/consumer/stop.ts'

const CANCELLED = new Aborted('cancelled')

test('a signal that was asked for aborts with the reason, and the wait for it ends', async () => {
  const stop = createStop()
  const { signal, told } = stop

  stop.tell(CANCELLED)

  expect(signal.reason).toBe(CANCELLED)
  await expect(told).rejects.toBe(CANCELLED)
})

test('a signal that is asked for too late has aborted already, and so has the wait', async () => {
  const stop = createStop()
  stop.tell(CANCELLED)

  expect(stop.signal.reason).toBe(CANCELLED)
  await expect(stop.told).rejects.toBe(CANCELLED)
})

test('only the first reason counts', () => {
  const stop = createStop()
  stop.tell(CANCELLED)

  stop.tell(new Aborted('deadline'))
  stop.over()

  expect(stop.reason).toBe(CANCELLED)
  expect(stop.signal.reason).toBe(CANCELLED)
})

test('the end of an attempt stops what it left running, and is no reason for it to have failed', async () => {
  const stop = createStop()
  const { signal, told } = stop

  stop.over()

  expect(signal.aborted).toBe(true)
  expect(await Promise.race([told, Promise.resolve('nothing was told')])).toBe('nothing was told')
})
