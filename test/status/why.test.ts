// The sentence why, and the timeline: each rule on the facts it is for.
import { expect, test } from 'vitest'
import type { AttemptJson, TaskJson } from '../../src/status/task-json.ts'
import { timelineOf } from '../../src/status/timeline.ts'
import { whyOf } from '../../src/status/why.ts'

const NOW = Date.parse('2026-01-01T12:00:00.000Z')
const EARLIER = '2026-01-01T11:00:00.000Z'
const LATER = '2026-01-01T13:00:00.000Z'
const error = { name: 'TypeError', message: 'no such bot' }

const task: TaskJson = {
  id: '01890000-0000-7000-8000-000000000000',
  name: 'trial.echo',
  queue: 'trial',
  client: 'shop',
  status: 'PENDING',
  attempt: 0,
  failures: 0,
  crashes: 0,
  requestId: 'r',
  traceId: 't',
  userId: null,
  tags: [],
  createdAt: EARLIER,
  dueAt: EARLIER,
  startedAt: null,
  finishedAt: null,
  expiresAt: null,
  progress: null,
  result: null,
  error: null,
  errorFingerprint: null,
  failureReason: null,
  statusUrl: '/',
  attempts: [],
}
const attempt = (number: number, outcome: AttemptJson['outcome'], rest: Partial<AttemptJson> = {}): AttemptJson => ({
  attempt: number,
  consumer: 'c-1',
  version: '1',
  startedAt: EARLIER,
  endedAt: EARLIER,
  outcome,
  error: null,
  errorFingerprint: null,
  nextAt: null,
  ...rest,
})
const failed = attempt(1, 'failure', { error, nextAt: LATER })
const over: Partial<TaskJson> = { dueAt: null, finishedAt: EARLIER }

const CASES: readonly { facts: Partial<TaskJson>; says: RegExp }[] = [
  { facts: {}, says: /^It waits for a consumer of queue trial since 2026-01-01T11/ },
  { facts: { dueAt: LATER }, says: /^It waits for its time, 2026-01-01T13/ },
  { facts: { attempt: 1, attempts: [attempt(1, 'handed_back')] }, says: /handed back, uncharged/ },
  { facts: { attempt: 1, crashes: 1, attempts: [attempt(1, 'crash')] }, says: /died; .*uncharged/ },
  { facts: { attempt: 1, attempts: [attempt(1, 'failure')] }, says: /sent round again after one attempt/ },
  {
    facts: { status: 'RUNNING', attempt: 2, failures: 1, startedAt: EARLIER },
    says: /^Attempt 2 is running since .*, after one failure/,
  },
  {
    facts: { status: 'RETRYING', attempt: 1, failures: 1, dueAt: LATER, attempts: [failed] },
    says: /^Attempt 1 failed with TypeError: no such bot, and attempt 2 is due at 2026-01-01T13/,
  },
  {
    facts: { status: 'RETRYING', attempt: 1, failures: 1, attempts: [failed] },
    says: /is due and waits for a consumer/,
  },
  { facts: { ...over, status: 'SUCCESS', attempt: 1 }, says: /^It succeeded at the first attempt\.$/ },
  {
    facts: { ...over, status: 'SUCCESS', attempt: 3, failures: 2 },
    says: /^It succeeded at attempt 3, after 2 failures\.$/,
  },
  {
    facts: { ...over, status: 'FAILED', attempt: 4, failures: 4, failureReason: 'failures', error },
    says: /^It failed 4 times, .*last error was TypeError: no such bot\.$|^It failed 4 times/,
  },
  {
    facts: { ...over, status: 'FAILED', attempt: 1, failureReason: 'non_retryable', error },
    says: /repeating cannot help: TypeError/,
  },
  {
    facts: { ...over, status: 'FAILED', failureReason: 'expired', expiresAt: EARLIER },
    says: /had not begun when it expired at/,
  },
  { facts: { ...over, status: 'FAILED', crashes: 4, failureReason: 'crash' }, says: /died 4 times/ },
  { facts: { ...over, status: 'FAILED', failureReason: 'invalid_payload', error }, says: /payload does not fit/ },
  { facts: { ...over, status: 'CANCELLED' }, says: /cancelled before it began/ },
  { facts: { ...over, status: 'CANCELLED', attempts: [attempt(1, 'cancelled')] }, says: /cancelled after one attempt/ },
]

test.each(CASES)('$facts.status: $says', ({ facts, says }) => {
  const sentence = whyOf({ ...task, ...facts }, NOW)

  expect(sentence).toMatch(says)
  expect(sentence).toMatch(/^[A-Z].*\.$/)
  expect(sentence).not.toMatch(/undefined|null|: :|was: /)
})

test('the timeline has everything that happened, in order', () => {
  const facts = {
    ...task,
    ...over,
    status: 'FAILED' as const,
    failureReason: 'failures' as const,
    finishedAt: LATER,
    attempts: [failed, attempt(2, 'failure', { startedAt: LATER, endedAt: LATER })],
  }
  const redrive = {
    taskId: task.id,
    at: new Date(EARLIER),
    actor: 'ops',
    action: 'redrive' as const,
    requestId: 'r2',
    reason: 'bot is back',
  }

  const events = timelineOf(facts, [redrive])

  expect(events.map(({ event }) => event)).toEqual([
    'accepted',
    'attempt_started',
    'attempt_ended',
    'redriven',
    'retry_due',
    'attempt_started',
    'attempt_ended',
    'dead_lettered',
  ])
  expect(events[3]?.detail).toBe('by ops: bot is back')
})
