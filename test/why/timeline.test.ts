// The timeline: all that happened, in order, each with what is known of it; and the words it is told in.
import { expect, test } from 'vitest'
import type { OperationView } from '../../src/store/reads/operations.ts'
import type { Stand } from '../../src/store/reads/story.ts'
import { timelineOf } from '../../src/why/timeline.ts'
import { durationWords, numberWords } from '../../src/why/words.ts'
import { aTaskJson } from '../support/a-task-json.ts'

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 11, 0, second)).toISOString()
const error = { name: 'TypeError', message: 'no such bot' }
const stand: Stand = {
  id: 'x',
  acceptedBy: 'api-1',
  idempotencyKey: 'key:order-17',
  ahead: 1_200,
  runAt: null,
  holder: 'c-2',
  holderVersion: '1.1',
  deadlineAt: new Date(at(90)),
  publishedAt: new Date(at(21)),
  reoffers: 1,
}
const task = aTaskJson(at(0), {
  status: 'RUNNING',
  attempt: 2,
  failures: 1,
  dueAt: at(20),
  startedAt: at(23),
  attempts: [
    {
      attempt: 1,
      consumer: 'c-1',
      version: '1.0',
      startedAt: at(4),
      endedAt: at(5),
      outcome: 'failure',
      error,
      errorFingerprint: 'f00d',
      nextAt: at(20),
      dueAt: at(0),
      // The api's clock is behind the database's.
      publishedAt: new Date(Date.parse(at(0)) - 40).toISOString(),
      reoffers: 0,
      consumerEnded: null,
    },
  ],
})
const redrive: OperationView = {
  taskId: task.id,
  at: new Date(at(7)),
  actor: 'ops',
  action: 'redrive',
  requestId: 'r2',
  reason: 'the bot is back',
}

test('a task that runs after a failure and a redrive', () => {
  expect(timelineOf(task, [redrive], stand)).toEqual([
    {
      at: at(0),
      event: 'accepted',
      detail: 'from shop into queue trial, by api-1, idempotency key order-17, up to 1 200 before it',
    },
    { at: at(0), event: 'published', attempt: 1, detail: 'to the broker' },
    { at: at(4), event: 'attempt_started', attempt: 1, detail: 'by c-1 1.0, 4.0 s after it was due' },
    {
      at: at(5),
      event: 'attempt_ended',
      attempt: 1,
      detail: 'failure after 1.0 s: TypeError: no such bot, fingerprint f00d',
    },
    { at: at(7), event: 'redriven', detail: 'by ops: the bot is back (request r2)' },
    { at: at(20), event: 'retry_due', attempt: 2, detail: '15.0 s after attempt 1' },
    { at: at(21), event: 'published', attempt: 2, detail: 'after the broker had lost its message once' },
    {
      at: at(23),
      event: 'attempt_started',
      attempt: 2,
      detail: `by c-2 1.1, 3.0 s after it was due, until ${at(90)} at most`,
    },
  ])
})

test('the end stands last, whatever the clocks say', () => {
  const dead = { ...task, status: 'FAILED' as const, finishedAt: at(4), failureReason: 'failures' as const }

  expect(timelineOf(dead, [], stand).at(-1)).toEqual({
    at: at(4),
    event: 'dead_lettered',
    detail: 'FAILED (failures)',
  })
})

test('of a task from before these facts were kept nothing is made up', () => {
  const old = { ...stand, acceptedBy: null, idempotencyKey: 'name:conversation.ended:c-1', ahead: null }
  const attempts = task.attempts.map((each) => ({ ...each, dueAt: null, publishedAt: null, reoffers: null }))

  const events = timelineOf({ ...task, status: 'RETRYING', attempts }, [], old)

  expect(events[0]?.detail).toBe('from shop into queue trial, idempotency key c-1, made from its payload')
  expect(events.map(({ event }) => event)).toEqual(['accepted', 'attempt_started', 'attempt_ended', 'retry_due'])
  expect(events[1]?.detail).toBe('by c-1 1.0, how long after it was due is not kept')
})

test.each([
  [-5, '0 ms'],
  [850, '850 ms'],
  [4_240, '4.2 s'],
  [59_960, '1 min'],
  [843_000, '14 min 3 s'],
  [3_600_000, '1 h'],
  [11_520_000, '3 h 12 min'],
  [187_200_000, '2 d 4 h'],
])('%i ms are %s', (ms, says) => {
  expect(durationWords(ms)).toBe(says)
})

test('digits stand in groups of three', () => {
  expect([7, 1_200, 82_000, 1_234_567].map(numberWords)).toEqual(['7', '1 200', '82 000', '1 234 567'])
})
