// Promise: a failed attempt climbs exactly one rung, and the ladder is finite.

import { NonRetryable, NotBefore } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { verdictOf } from '../../src/core/retry.ts'

const ladder = [60_000, 300_000, 1_800_000]
const error = new Error('failed')

test('three rungs carry three retries, and the fourth failure is the last', () => {
  expect([1, 2, 3, 4].map((failures) => verdictOf(error, failures, ladder, null))).toEqual([
    { next: 'rung', delayMs: 60_000 },
    { next: 'rung', delayMs: 300_000 },
    { next: 'rung', delayMs: 1_800_000 },
    { next: 'failed', reason: 'failures' },
  ])
})

const CASES = [
  {
    what: 'a non-retryable error ends at once',
    thrown: new NonRetryable('no'),
    failures: 1,
    most: null,
    verdict: { next: 'failed', reason: 'non_retryable' },
  },
  {
    what: 'a moment asked for is kept',
    thrown: new NotBefore('busy', 7_000),
    failures: 1,
    most: null,
    verdict: { next: 'not_before', delayMs: 7_000 },
  },
  {
    what: 'a moment asked for does not lengthen the ladder',
    thrown: new NotBefore('busy', 7_000),
    failures: 4,
    most: null,
    verdict: { next: 'failed', reason: 'failures' },
  },
  {
    what: 'fewer attempts than rungs end early',
    thrown: error,
    failures: 2,
    most: 2,
    verdict: { next: 'failed', reason: 'failures' },
  },
  {
    what: 'more attempts than rungs repeat the last rung',
    thrown: error,
    failures: 9,
    most: 10,
    verdict: { next: 'rung', delayMs: 1_800_000 },
  },
]

test.each(CASES)('$what', ({ thrown, failures, most, verdict }) => {
  expect(verdictOf(thrown, failures, ladder, most)).toEqual(verdict)
})

test('an empty ladder means one attempt, unless the client asks for more', () => {
  expect(verdictOf(error, 1, [], null)).toEqual({ next: 'failed', reason: 'failures' })
  expect(verdictOf(error, 1, [], 2)).toEqual({ next: 'not_before', delayMs: 0 })
})
