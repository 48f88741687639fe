// Promise: a contract that cannot work is refused where it is written, with the field named.

import { defineTask, parseDuration } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { z } from 'zod'

const good = {
  name: 'mail.send',
  summary: 'Sends a mail.',
  payload: z.object({}),
  queue: 'mail',
  effects: 'external',
} as const

test('a good contract has its times in milliseconds', () => {
  expect(defineTask({ ...good, ladder: ['1s', '2m'], deadline: '30s' })).toMatchObject({
    ladderMs: [1_000, 120_000],
    deadlineMs: 30_000,
  })
})

const BAD = [
  { what: 'a name with capitals', change: { name: 'Mail.Send' }, says: /the name must be/ },
  { what: 'a queue with a dot', change: { queue: 'mail.eu' }, says: /the queue must be/ },
  { what: 'a rung that is too short', change: { ladder: ['10ms'] }, says: /each rung must be/ },
  {
    what: 'a ladder without an end',
    change: { ladder: Array.from({ length: 17 }, () => '1s') },
    says: /more than 16 rungs/,
  },
  { what: 'a rung that is no duration', change: { ladder: ['soon'] }, says: /"soon" is not a duration/ },
  { what: 'a deadline of a day', change: { deadline: '1d' }, says: /the deadline must be/ },
]

test.each(BAD)('$what is refused', ({ change, says }) => {
  expect(() => defineTask({ ...good, ...change })).toThrow(says)
})

test('durations are read', () => {
  expect(['500ms', '10s', '5m', '2h', '30d'].map(parseDuration)).toEqual([
    500, 10_000, 300_000, 7_200_000, 2_592_000_000,
  ])
  for (const text of ['', '5', 's', '-1s', '1.5s', '1 s', '1w']) expect(() => parseDuration(text)).toThrow(RangeError)
})
