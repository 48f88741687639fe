// Promise: a busy consumer is dearer than an idle one and a long-running one dearer still, at once when that rises, and
// only after it has lasted when it falls, so that short tasks do not make a write each.
import { expect, test } from 'vitest'
import { BUSY_COST, CALM_MS, costOf, createSteady, IDLE_COST, LONG_RUNNING_COST } from '../../src/scaling/busyness.ts'

test('idle, busy and long-running are told apart, each dearer than the last', () => {
  const costs = [
    { running: 0, oldestMs: 0 },
    { running: 1, oldestMs: 59_999 },
    { running: 9, oldestMs: 0 },
    { running: 1, oldestMs: 60_000 },
  ].map(costOf)

  expect(costs).toEqual([IDLE_COST, BUSY_COST, BUSY_COST, LONG_RUNNING_COST])
  expect(IDLE_COST).toBe(0)
  expect(BUSY_COST).toBeGreaterThan(IDLE_COST)
  expect(LONG_RUNNING_COST).toBeGreaterThan(BUSY_COST)
})

test('a rise shows at once', () => {
  const steady = createSteady()

  expect([steady.next(0, 0), steady.next(100, 1), steady.next(200, 2)]).toEqual([0, 100, 200])
})

test('turns shorter than the calm show nothing, however many', () => {
  const steady = createSteady()
  const shown = Array.from({ length: 100 }, (_, turn) => steady.next(turn % 2 === 0 ? 100 : 0, turn * (CALM_MS / 2)))

  expect(new Set(shown)).toEqual(new Set([100]))
})

test('a fall shows once it has lasted, and falls no lower than what was seen meanwhile', () => {
  const steady = createSteady()
  steady.next(200, 0)

  expect(steady.next(0, 1)).toBe(200)
  expect(steady.next(100, 2)).toBe(200)
  expect(steady.next(0, CALM_MS)).toBe(200)
  expect(steady.next(0, 1 + CALM_MS)).toBe(100)
  expect(steady.next(0, 2 + CALM_MS)).toBe(100)
  expect(steady.next(0, 2 + 2 * CALM_MS)).toBe(0)
})
