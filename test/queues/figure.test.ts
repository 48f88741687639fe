// Promise: a figure is known only while the last look gave it, last known for a while after, and then unknown: never 0.
import { expect, test } from 'vitest'
import { Remembered } from '../../src/queues/figure.ts'

const LIMITS = { knownMs: 3_000, forgottenMs: 30_000 }

test('nothing is known before the first look', () => {
  expect(new Remembered(LIMITS).figure(0)).toEqual({ state: 'unknown' })
})

test('what a look told is known until the next is long in coming, then last known, then forgotten', () => {
  const figure = new Remembered<number>(LIMITS)
  figure.told(7, 1_000)

  expect([1_000, 4_000, 4_001, 31_000, 31_001].map((now) => figure.figure(now))).toEqual([
    { state: 'known', value: 7, at: 1_000 },
    { state: 'known', value: 7, at: 1_000 },
    { state: 'last_known', value: 7, ageMs: 3_001 },
    { state: 'last_known', value: 7, ageMs: 30_000 },
    { state: 'unknown' },
  ])
})

test('a look that does not tell it makes it last known at once, and the next that does makes it known', () => {
  const figure = new Remembered<number>(LIMITS)
  figure.told(7, 0)
  figure.notTold()
  const untold = figure.figure(1)
  figure.told(0, 2)

  expect(untold).toEqual({ state: 'last_known', value: 7, ageMs: 1 })
  expect(figure.figure(2)).toEqual({ state: 'known', value: 0, at: 2 })
})
