// The sentence why: each rule on the facts it is for. docs/why.md has the same rules as a table.
import { expect, test } from 'vitest'
import { freePort } from '../../scripts/servers/ports.ts'
import { failureOf } from '../../src/core/failure.ts'
import type { AttemptJson, TaskJson } from '../../src/status/task-json.ts'
import type { OperationView } from '../../src/store/reads/operations.ts'
import { type Story, whyOf } from '../../src/why/why.ts'
import { causeOf } from '../../src/why/why-failed.ts'
import type { Wait } from '../../src/why/why-waited.ts'
import { aTaskJson } from '../support/a-task-json.ts'

const NOW = Date.parse('2026-01-01T12:00:00.000Z')
const AT_11 = '2026-01-01T11:00:00.000Z'
const AT_13 = '2026-01-01T13:00:00.000Z'
const error = { name: 'TypeError', message: 'no such bot' }

const task = aTaskJson(AT_11)

/** Attempt n runs from n minutes past eleven for a second. */
function attempt(number: number, outcome: AttemptJson['outcome'], rest: Partial<AttemptJson> = {}): AttemptJson {
  const minute = `2026-01-01T11:${String(number).padStart(2, '0')}`
  return {
    attempt: number,
    consumer: 'c-1',
    version: '1',
    startedAt: `${minute}:00.000Z`,
    endedAt: `${minute}:01.000Z`,
    outcome,
    error: null,
    errorFingerprint: null,
    nextAt: null,
    dueAt: `${minute}:00.000Z`,
    publishedAt: `${minute}:00.000Z`,
    reoffers: 0,
    consumerEnded: null,
    ...rest,
  }
}
const failed = (number: number, about = error): AttemptJson =>
  attempt(number, 'failure', { error: about, errorFingerprint: about.message })

const operation = (action: OperationView['action'], at = AT_11, reason: string | null = null): OperationView => ({
  taskId: task.id,
  at: new Date(at),
  actor: 'ops',
  action,
  requestId: 'r2',
  reason,
})

const over: Partial<TaskJson> = { dueAt: null, finishedAt: AT_11 }
const success: Partial<TaskJson> = { ...over, status: 'SUCCESS', attempt: 1, attempts: [attempt(1, 'success')] }
const pending: Partial<TaskJson> = { status: 'PENDING' }

/** It waits for an hour, nothing is the matter, and nothing is known either. */
const lasting: Wait = {
  attempt: 1,
  from: AT_11,
  to: '2026-01-01T12:00:00.000Z',
  isOver: false,
  published: 'yes',
  publishedAt: null,
  nextPublishAt: null,
  refusals: 0,
  reoffers: 0,
  ahead: null,
  crowd: null,
  consumersBefore: 1,
  consumersAfter: 1,
  knowing: 1,
  firstConsumerAt: null,
  absence: null,
}
const past: Wait = { ...lasting, isOver: true, to: '2026-01-01T11:14:00.000Z', publishedAt: AT_11 }
const away = { process: 'api-1', since: AT_11, until: '2026-01-01T11:13:00.000Z', state: 'away' } as const
const published = '2026-01-01T11:13:00.000Z'

const CASES: readonly { about: string; facts: Partial<TaskJson>; story?: Partial<Story>; says: string }[] = [
  // Where it stands.
  { about: 'done at once', facts: success, says: 'It succeeded at the first attempt.' },
  {
    about: 'a time that was asked for',
    facts: { dueAt: AT_13 },
    says: `It waits for its time, ${AT_13}, as it was asked to.`,
  },
  {
    about: 'a rung',
    facts: { status: 'RETRYING', attempt: 1, failures: 1, dueAt: AT_13, attempts: [failed(1)] },
    says: `It waits 1 h more for attempt 2, due at ${AT_13}: attempt 1 failed: TypeError: no such bot.`,
  },
  {
    about: 'a retry that is due',
    facts: { status: 'RETRYING', attempt: 1, failures: 1, attempts: [failed(1)] },
    says: `Attempt 2 is due since ${AT_11} and waits for a consumer of queue trial: attempt 1 failed: TypeError: no such bot.`,
  },
  {
    about: 'running',
    facts: { status: 'RUNNING', attempt: 1, startedAt: AT_11 },
    story: { runBy: 'c-2 1.0' },
    says: `Attempt 1 runs on c-2 1.0 since ${AT_11}.`,
  },
  {
    about: 'a hand-back that is due later',
    facts: {
      attempt: 1,
      dueAt: AT_13,
      attempts: [attempt(1, 'handed_back', { error: { name: 'OurOutage', message: 'gone' } })],
    },
    says: `Attempt 2 is due at ${AT_13}: attempt 1 was given back because our own database went away under it, not charged.`,
  },
  // How it ended.
  {
    about: 'the end of the ladder, alike failures said once',
    facts: {
      ...over,
      status: 'FAILED',
      attempt: 3,
      failures: 3,
      failureReason: 'failures',
      attempts: [1, 2, 3].map((n) => failed(n)),
    },
    says: 'It failed for good after 3 failures, as many as it may have: attempts 1 to 3 each failed: TypeError: no such bot.',
  },
  {
    about: 'not worth repeating',
    facts: { ...over, status: 'FAILED', attempt: 1, failureReason: 'non_retryable', attempts: [failed(1)] },
    says: 'It failed for good at attempt 1, because its error says that repeating cannot help: attempt 1 failed: TypeError: no such bot.',
  },
  {
    about: 'an invalid payload',
    facts: {
      ...over,
      status: 'FAILED',
      attempt: 1,
      failureReason: 'invalid_payload',
      attempts: [failed(1, { name: 'InvalidPayload', message: 'ms:\n  not a number' })],
    },
    says: 'It failed for good at attempt 1, because its payload does not fit what the task type asks for now: attempt 1 failed: InvalidPayload: ms: not a number.',
  },
  {
    about: 'expired, with nobody there',
    facts: { ...over, status: 'FAILED', failureReason: 'expired', expiresAt: AT_11 },
    story: {
      wait: { ...past, published: 'unknown', publishedAt: null, consumersBefore: 0, consumersAfter: 0, knowing: 0 },
    },
    says: `It expired at ${AT_11} before attempt 1 began: it waited 14 min: no consumer of queue trial lived.`,
  },
  {
    about: 'a killer of its process',
    facts: {
      ...over,
      status: 'FAILED',
      attempt: 1,
      crashes: 4,
      failureReason: 'crash',
      attempts: [attempt(1, 'crash', { consumerEnded: 'silent' })],
    },
    says: 'It failed for good because its process died under it 4 times, at the end with nothing else in the process: attempt 1 ended when consumer c-1 fell silent (killed, out of memory or cut off), not charged.',
  },
  {
    about: 'a reason that is not kept',
    facts: { ...over, status: 'FAILED' },
    says: 'It failed, and the facts do not tell why for good.',
  },
  {
    about: 'cancelled before it began',
    facts: { ...over, status: 'CANCELLED' },
    story: { operations: [operation('cancel', AT_11, 'not needed')] },
    says: 'It was cancelled by ops (not needed) before it began.',
  },
  {
    about: 'cancelled while it ran',
    facts: { ...over, status: 'CANCELLED', attempts: [failed(1), attempt(2, 'cancelled')] },
    story: { operations: [operation('cancel')] },
    says: 'It was cancelled by ops while attempt 2 ran: attempt 1 failed: TypeError: no such bot.',
  },
  {
    about: 'cancelled between attempts',
    facts: { ...over, status: 'CANCELLED', attempts: [failed(1)] },
    story: { operations: [operation('cancel')] },
    says: 'It was cancelled by ops after one attempt: attempt 1 failed: TypeError: no such bot.',
  },
  // How attempts ended.
  ...(
    [
      [
        { consumerEnded: 'told_to_stop' },
        'ended when consumer c-1 was told to stop (scale-down, deploy or restart), not charged',
      ],
      [
        { consumerEnded: 'lease_lost' },
        'ended when consumer c-1 lost its lease (it did not reach the database in time), not charged',
      ],
      [{}, 'was given back, not charged; the facts do not tell why'],
      [{ error }, 'was given back, not charged: TypeError: no such bot'],
    ] as const
  ).map(([rest, says]) => ({
    about: 'given back',
    facts: { ...success, attempt: 2, attempts: [attempt(1, 'handed_back', rest), attempt(2, 'success')] },
    says: `It succeeded at attempt 2: attempt 1 ${says}.`,
  })),
  {
    about: 'a deadline',
    facts: {
      ...success,
      attempt: 2,
      attempts: [failed(1, { name: 'Aborted', message: 'the attempt passed its deadline' }), attempt(2, 'success')],
    },
    says: 'It succeeded at attempt 2: attempt 1 passed its deadline.',
  },
  {
    about: 'a deadline that the consumer did not see',
    facts: {
      ...success,
      attempt: 2,
      attempts: [
        attempt(1, 'crash', {
          error: { name: 'ConsumerDied', message: 'the attempt passed its deadline and its consumer did not end it' },
          errorFingerprint: 'consumer-died',
        }),
        attempt(2, 'success'),
      ],
    },
    says: 'It succeeded at attempt 2: attempt 1 passed its deadline and consumer c-1 did not end it, so it was taken back.',
  },
  {
    about: 'two deaths',
    facts: { attempt: 2, crashes: 2, attempts: [attempt(1, 'crash'), attempt(2, 'crash')] },
    says: `It waits for a consumer of queue trial since ${AT_11}: attempts 1 and 2 each ended when consumer c-1 died or lost its lease, not charged; since it was there when a process died twice, it runs only with nothing beside it.`,
  },
  {
    about: 'a redrive, in its place',
    facts: { ...success, attempt: 2, attempts: [failed(1), attempt(2, 'success')] },
    story: { operations: [operation('redrive', '2026-01-01T11:01:30.000Z', 'the bot is back')] },
    says: 'It succeeded at attempt 2: attempt 1 failed: TypeError: no such bot; ops (the bot is back) sent it round again.',
  },
  {
    about: 'the same failure before and after a redrive',
    facts: {
      ...over,
      status: 'FAILED',
      attempt: 2,
      failures: 1,
      failureReason: 'non_retryable',
      attempts: [failed(1), failed(2)],
    },
    story: { operations: [operation('redrive', '2026-01-01T11:01:30.000Z')] },
    says: 'It failed for good at attempt 2, because its error says that repeating cannot help: attempt 1 failed: TypeError: no such bot; ops sent it round again; attempt 2 failed: TypeError: no such bot.',
  },
  {
    about: 'more than can be said',
    facts: {
      ...over,
      status: 'FAILED',
      attempt: 9,
      failures: 9,
      failureReason: 'failures',
      attempts: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => failed(n, { name: 'E', message: `no ${n}` })),
    },
    says: 'It failed for good after 9 failures, as many as it may have: attempt 1 failed: E: no 1; 3 more things happened; attempt 5 failed: E: no 5; attempt 6 failed: E: no 6; attempt 7 failed: E: no 7; attempt 8 failed: E: no 8; attempt 9 failed: E: no 9.',
  },
  // What it waited for.
  {
    about: 'a time that was asked for, and came',
    facts: success,
    story: { runAt: '2026-01-01T11:00:30.000Z' },
    says: 'It succeeded at the first attempt: it was asked to begin 30.0 s later.',
  },
  {
    about: 'a flood',
    facts: success,
    story: { wait: { ...past, ahead: 82_000, crowd: { client: 'billing', share: 0.966, sampled: 2_000 } } },
    says: 'It succeeded at the first attempt: it waited 14 min behind up to 82 000 tasks, 97 % of the last 2 000 of them from billing.',
  },
  {
    about: 'others before it',
    facts: success,
    story: { wait: { ...past, ahead: 40, crowd: { client: 'billing', share: 1, sampled: 40 } } },
    says: 'It succeeded at the first attempt: it waited 14 min behind up to 40 tasks, 100 % of them from billing.',
  },
  {
    about: 'nothing that is known',
    facts: success,
    story: { wait: past },
    says: 'It succeeded at the first attempt: it waited 14 min, and the facts do not tell for what.',
  },
  {
    about: 'a wait too short to say',
    facts: success,
    story: { wait: { ...past, to: '2026-01-01T11:00:04.900Z', ahead: 7 } },
    says: 'It succeeded at the first attempt.',
  },
  {
    about: 'the broker away when it came',
    facts: success,
    story: { wait: { ...past, publishedAt: published, absence: away } },
    says: `It succeeded at the first attempt: it waited 14 min: its message was published only at ${published}: RabbitMQ could not be reached since ${AT_11}, as api-1 saw it.`,
  },
  {
    about: 'the broker away, which kept nobody waiting',
    facts: success,
    story: { wait: { ...past, absence: away, ahead: 7 } },
    says: 'It succeeded at the first attempt: it waited 14 min behind up to 7 tasks.',
  },
  {
    about: 'published late for no known reason',
    facts: success,
    story: { wait: { ...past, publishedAt: published } },
    says: `It succeeded at the first attempt: it waited 14 min: its message was published only at ${published}, and the facts do not tell why.`,
  },
  {
    about: 'a broker that blocks',
    facts: pending,
    story: { wait: { ...lasting, published: 'no', nextPublishAt: AT_11, absence: { ...away, state: 'blocked' } } },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h: its message is not published: RabbitMQ took no messages since ${AT_11}, as api-1 saw it.`,
  },
  {
    about: 'a broker that refuses',
    facts: pending,
    story: { wait: { ...lasting, published: 'no', nextPublishAt: AT_13, refusals: 2 } },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h: the broker did not take its message (refused or returned twice), tried next at ${AT_13}.`,
  },
  {
    about: 'not published for no known reason',
    facts: pending,
    story: { wait: { ...lasting, published: 'no', nextPublishAt: AT_13 } },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h: its message is not published, next at ${AT_13}, and the facts do not tell why.`,
  },
  {
    about: 'no consumer',
    facts: pending,
    story: { wait: { ...lasting, consumersBefore: 0, consumersAfter: 0, knowing: 0, ahead: 3 } },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h behind 3 tasks, and no consumer of queue trial lives.`,
  },
  {
    about: 'no consumer any more',
    facts: pending,
    story: { wait: { ...lasting, consumersAfter: 0, knowing: 0 } },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h: no consumer of queue trial lives any more.`,
  },
  {
    about: 'a consumer that came late',
    facts: success,
    story: { wait: { ...past, consumersBefore: 0, firstConsumerAt: AT_11 } },
    says: `It succeeded at the first attempt: it waited 14 min: no consumer of queue trial lived until ${AT_11}.`,
  },
  {
    about: 'a task type that nobody knows',
    facts: pending,
    story: {
      wait: { ...lasting, published: 'no', nextPublishAt: AT_13, consumersBefore: 2, consumersAfter: 2, knowing: 0 },
    },
    says: `It waits for a consumer of queue trial since ${AT_11}: it has waited 1 h: none of the 2 living consumers of queue trial knows this task type, so it is offered again at ${AT_13}.`,
  },
  {
    about: 'a message that the broker lost',
    facts: success,
    story: { wait: { ...past, reoffers: 1 } },
    says: 'It succeeded at the first attempt: it waited 14 min: the broker had lost its message, which was offered again once.',
  },
]

test.each(CASES)('$about: $says', ({ facts, story, says }) => {
  const sentence = whyOf({ ...task, ...facts }, { runAt: null, runBy: null, wait: null, operations: [], ...story }, NOW)

  expect(sentence).toBe(says)
})

test.each([
  [
    { message: 'fetch failed', cause: 'Error: connect ECONNREFUSED 10.0.0.7:9200' },
    'connection refused by 10.0.0.7:9200 (Error: fetch failed)',
  ],
  [
    { message: 'connect ECONNREFUSED ::1:5432' },
    'connection refused by ::1:5432 (Error: connect ECONNREFUSED ::1:5432)',
  ],
  [{ message: 'ECONNREFUSED by somebody' }, 'connection refused (Error: ECONNREFUSED by somebody)'],
  [
    { message: 'getaddrinfo ENOTFOUND search' },
    'the host name search is not known (Error: getaddrinfo ENOTFOUND search)',
  ],
  [
    { message: 'getaddrinfo EAI_AGAIN search' },
    'the host name search could not be looked up (Error: getaddrinfo EAI_AGAIN search)',
  ],
  [
    { message: 'connect ETIMEDOUT 10.0.0.7:80' },
    'no answer in time from 10.0.0.7:80 (Error: connect ETIMEDOUT 10.0.0.7:80)',
  ],
  [{ message: 'connect EHOSTUNREACH 10.0.0.7:80' }, 'no way to 10.0.0.7:80 (Error: connect EHOSTUNREACH 10.0.0.7:80)'],
  [{ message: 'read ECONNRESET' }, 'the connection was cut by the other side (Error: read ECONNRESET)'],
  [{ message: 'the account is closed' }, 'Error: the account is closed'],
])('an error is named by what it was about: %o', (about, says) => {
  expect(causeOf({ name: 'Error', ...about })).toBe(says)
})

test('a dependency that refuses is named as Node tells it: by one address, or by the several of its name', async () => {
  const port = await freePort()
  const refused = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason)
  const each = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:${port}`))

  expect(causeOf(failureOf(refused))).toBe(`connection refused by 127.0.0.1:${port} (TypeError: fetch failed)`)
  for (const thrown of [new AggregateError(each), new Error('fetch failed', { cause: new AggregateError(each) })]) {
    expect(causeOf(failureOf(thrown))).toMatch(new RegExp(`^connection refused by ::1:${port} \\(`))
  }
})
