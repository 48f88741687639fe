// Promise: a broker that is back is used within 3 s, however long it was away; a session that lived long begins the waits anew, and
// sessions that come up and soon end are not waited for as for a broker that is away.
import { afterEach, expect, test, vi } from 'vitest'
import { Backoff } from '../../src/broker/backoff.ts'

const MANY = 2_000
const LONG_MS = 10_001

afterEach(() => vi.restoreAllMocks())

/** The longest wait after each end, or the shortest. */
function waitsAt(random: number, lives: readonly (number | undefined)[]): number[] {
  vi.spyOn(Math, 'random').mockReturnValue(random)
  const backoff = new Backoff()
  return lives.map((livedMs) => backoff.after(livedMs))
}

const times = <Value>(count: number, value: Value): Value[] => Array.from({ length: count }, () => value)

test('the waits double up to 3 s and stay there', () => {
  const waits = waitsAt(1, times(MANY, undefined))

  expect(waits.slice(0, 6)).toEqual([300, 500, 900, 1_700, 3_000, 3_000])
  expect(Math.max(...waits)).toBe(3_000)
})

test('each is anything from 0.1 s on, so that replicas do not return together', () => {
  expect(waitsAt(0, times(8, undefined))).toEqual(times(8, 100))
  expect(waitsAt(0.5, times(5, undefined)).at(-1)).toBe(1_550)
})

test('after a long life they begin anew', () => {
  expect(waitsAt(1, [...times(8, undefined), LONG_MS, undefined]).slice(-2)).toEqual([300, 500])
})

test('sessions that come up and soon end are waited for at most 1.7 s', () => {
  expect(waitsAt(1, times(6, 50))).toEqual([300, 500, 900, 1_700, 1_700, 1_700])
  expect(waitsAt(1, [...times(8, undefined), 50]).at(-1)).toBe(1_700)
})
