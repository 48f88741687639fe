// Promise: an attempt that is told to stop learns it whenever it asks, by its signal and by the end of the wait for it.

import { Aborted } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { Abort } from '../../src/consumer/abort.ts'

const CANCELLED = new Aborted('cancelled')

test('a signal that was asked for aborts with the reason, and the wait for it ends', async () => {
  const abort = new Abort()
  const { signal, told } = abort

  abort.tell(CANCELLED)

  expect(signal.reason).toBe(CANCELLED)
  await expect(told).rejects.toBe(CANCELLED)
})

test('a signal that is asked for too late has aborted already, and so has the wait', async () => {
  const abort = new Abort()
  abort.tell(CANCELLED)

  expect(abort.signal.reason).toBe(CANCELLED)
  await expect(abort.told).rejects.toBe(CANCELLED)
})

test('only the first reason counts', () => {
  const abort = new Abort()
  abort.tell(CANCELLED)

  abort.tell(new Aborted('deadline'))
  abort.over()

  expect(abort.reason).toBe(CANCELLED)
  expect(abort.signal.reason).toBe(CANCELLED)
})

test('the end of an attempt stops what it left running, and is no reason for it to have failed', async () => {
  const abort = new Abort()
  const { signal, told } = abort

  abort.over()

  expect(signal.aborted).toBe(true)
  expect(await Promise.race([told, Promise.resolve('nothing was told')])).toBe('nothing was told')
})
