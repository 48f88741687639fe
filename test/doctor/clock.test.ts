// Promise: a clock is called wrong only by what is certain: not by the time its answer took, nor by its coarse steps.
import { expect, test } from 'vitest'
import { certainSkewMs, judgeClock } from '../../src/doctor/clock.ts'

const reading = (saidMs: number, stepMs = 1) => ({ saidMs, beforeMs: 100_000, afterMs: 104_000, stepMs })

test('whatever was said while the answer was on its way may be right', () => {
  expect([100_000, 102_000, 104_000].map((said) => certainSkewMs(reading(said)))).toEqual([0, 0, 0])
})

test('beyond that the rest is certain, in both directions', () => {
  expect(certainSkewMs(reading(109_000))).toBe(5_000)
  expect(certainSkewMs(reading(90_000, 0))).toBe(-10_000)
})

test('a clock that is told in whole seconds may be up to one ahead of what it said', () => {
  expect(certainSkewMs(reading(99_000, 1_000))).toBe(0)
  expect(certainSkewMs(reading(98_000, 1_000))).toBe(-1_000)
})

test('below two seconds it is well, below a minute a warning, from then on a problem', () => {
  const levels = [105_999, 106_000, 163_999, 164_000].map((said) => judgeClock('PostgreSQL', reading(said)).level)

  expect(levels).toEqual(['ok', 'warning', 'warning', 'problem'])
})
