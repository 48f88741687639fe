// Promise: a queue is measured as worked off as fast as it is, however seldom its consumers say what they have begun.
import { expect, test } from 'vitest'
import { createDrain, type Report } from '../../src/admission/drain.ts'

/** Looks once a second at consumers that begin tasks at a pace and write it down every so many seconds. */
function measure(consumers: readonly { readonly perSecond: number; readonly writesEvery: number }[], seconds: number) {
  const drain = createDrain()
  const seen: number[] = []
  for (let second = 0; second <= seconds; second++) {
    const reports = consumers.map(({ perSecond, writesEvery }, index): [string, Report] => {
      const wrote = Math.floor(second / writesEvery) * writesEvery
      return [`life ${index}`, { bornAt: 500_000, writtenAt: 500_000 + wrote * 1_000, begun: wrote * perSecond }]
    })
    drain.read(second * 1_000, new Map(reports))
    seen.push(drain.perSecond as number)
  }
  return seen
}

test.each([1, 3, 7])('a consumer that writes every %i s is measured at its own pace', (writesEvery) => {
  const seen = measure([{ perSecond: 100, writesEvery }], 120)

  for (const perSecond of seen.slice(30)) expect(perSecond).toBeCloseTo(100, 2)
})

test('consumers add up, each measured from its own reports', () => {
  const seen = measure(
    [
      { perSecond: 40, writesEvery: 3 },
      { perSecond: 10, writesEvery: 1 },
    ],
    120,
  )

  for (const perSecond of seen.slice(30)) expect(perSecond).toBeCloseTo(50, 2)
})

test('a process that has just begun to look knows the pace of consumers that live for long', () => {
  const drain = createDrain()
  drain.read(0, new Map([['life', { bornAt: 0, writtenAt: 1_000_000, begun: 100_000 }]]))

  expect(drain.perSecond).toBe(100)
})

test('a consumer that is gone works off nothing more', () => {
  const drain = createDrain()
  const report = { bornAt: 0, writtenAt: 1_000_000, begun: 100_000 }
  drain.read(0, new Map([['life', report]]))
  for (let second = 1; second <= 60; second++) drain.read(second * 1_000, new Map())

  expect(drain.perSecond).toBeLessThan(3)
})
