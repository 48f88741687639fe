/**
 * The one place that turns what a client asks for into a task to accept: contract, payload, times, queue, keys. Every
 * route that submits goes through here, so the same task is the same task by whichever route it came.
 */
import { createHash } from 'node:crypto'
import { type Contract, parseDuration } from 'nightshift-tasks'
import { hashOf } from '../core/canonical.ts'
import { closeWords } from '../core/nearest.ts'
import type { NewTask } from '../core/new-task.ts'
import { textFlaw } from '../core/storable.ts'
import type { Contracts } from '../core/task-types.ts'
import { invalid, parseInput, parseStorableJson } from '../http/input.ts'
import { type PointedError, problemOf } from '../http/problem.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Row } from './row.ts'
import type { Submission } from './schemas.ts'

export interface SubmissionRules {
  readonly contracts: Contracts
  /** The queues this deployment has. */
  readonly queues: ReadonlySet<string>
  /** Makes a UUIDv7 by the database's clock. */
  readonly newId: () => string
  /** How far ahead a task may start, milliseconds. */
  readonly taskRetentionMs: number
}

const LONGEST_EXPIRY_MS = 365 * 86_400_000

/** Sets the task of each row, or its problem, which points to every place that does not fit. */
export function check(rules: SubmissionRules, rows: readonly Row[]): void {
  for (const row of rows) {
    try {
      const task = taskOf(rules, row)
      row.accepting = tracing.accepting(row.call.place, task)
      row.task = row.accepting ? { ...task, ...row.accepting.context } : task
      row.sent = ''
    } catch (error) {
      row.problem = problemOf(error)
    }
  }
}

function taskOf(rules: SubmissionRules, row: Row): NewTask {
  const { call, form } = row
  const { caller, requestId, trace } = call
  const { payloadAt, nameAt } = form
  const sent = parseStorableJson(row.sent)
  const submission = form.submissionOf(sent)
  row.key ??= form.keyOf?.(sent)
  const contract = contractOf(rules, submission.name, nameAt)
  const times = checkedTimes(rules, submission, payloadAt)
  const payload = parseInput(contract.payload, submission.payload, payloadAt)
  const keys = keysOf(contract, payload, row.key)
  // Hashed only for a key to be told apart by: for every task it was 5 % of the api's time.
  const hash = keys.length === 0 ? '' : hashOf(submission)
  return {
    id: rules.newId(),
    name: contract.name,
    queue: submission.queue ?? contract.queue,
    client: caller.client,
    requestId,
    traceId: trace.traceId,
    traceparent: trace.traceparent,
    tracestate: trace.tracestate,
    userId: submission.userId ?? userOf(contract, payload, payloadAt),
    tags: submission.tags ?? null,
    // As it was sent, not as the schema understood it: nothing is dropped in silence.
    payload: JSON.stringify(submission.payload),
    maxAttempts: submission.maxAttempts ?? null,
    // Set when it is admitted.
    ahead: null,
    ...times,
    keys: keys.map((one) => ({ key: one, hash })),
  }
}

const NOW: Times = { runAt: null, delayMs: null, expiresAfterMs: null }

/** @throws Problem invalid-input for everything of a submission that its contract says nothing of */
function checkedTimes(rules: SubmissionRules, submission: Submission, payloadAt: string): Times {
  const { payload, queue, runAt, delay, expiresAfter } = submission
  const errors: PointedError[] = []
  const isNow = runAt === undefined && delay === undefined && expiresAfter === undefined
  const times = isNow ? NOW : timesOf(submission, rules.taskRetentionMs, errors)
  if (queue !== undefined && !rules.queues.has(queue)) {
    errors.push({ pointer: '/queue', detail: `is not a queue here; known are ${[...rules.queues].join(', ')}` })
  }
  if (payload === undefined || payload === null) {
    errors.push({ pointer: payloadAt, detail: 'is required and must not be null' })
  }
  if (errors.length > 0) throw invalid(errors)
  return times
}

function userOf(contract: Contract, payload: unknown, payloadAt: string): string | null {
  const user = contract.userId?.(payload)
  if (user === undefined) return null
  if (user.length >= 1 && user.length <= 200 && textFlaw(user) === undefined) return user
  throw invalid([{ pointer: payloadAt, detail: 'names a user id that is not 1-200 characters' }])
}

function contractOf({ contracts }: SubmissionRules, name: string, pointer: string): Contract {
  const contract = contracts.get(name)
  if (contract) return contract
  const close = closeWords(name, contracts.keys())
  const hint = close.length > 0 ? `did you mean ${close.join(' or ')}?` : 'GET /docs lists the task types'
  throw invalid([{ pointer, detail: `is not a task type here: ${hint}` }])
}

type Times = Pick<NewTask, 'runAt' | 'delayMs' | 'expiresAfterMs'>

function timesOf({ runAt, delay, expiresAfter }: Submission, furthestMs: number, errors: PointedError[]): Times {
  const now = Date.now()
  const at = runAt === undefined ? undefined : Date.parse(runAt)
  const days = Math.floor(furthestMs / 86_400_000)
  if (at !== undefined && delay !== undefined)
    errors.push({ pointer: '/delay', detail: 'must not stand together with runAt' })
  if (at !== undefined && !(at <= now + furthestMs))
    errors.push({ pointer: '/runAt', detail: `must be at most ${days} days ahead` })
  const delayMs = delay === undefined ? null : parseDuration(delay)
  if ((delayMs ?? 0) > furthestMs) errors.push({ pointer: '/delay', detail: `must be at most ${days}d` })
  const expiresAfterMs = expiresAfter === undefined ? null : parseDuration(expiresAfter)
  if (expiresAfterMs !== null) {
    const startsInMs = delayMs ?? Math.max(0, (at ?? now) - now)
    if (expiresAfterMs < 1_000 || expiresAfterMs > LONGEST_EXPIRY_MS) {
      errors.push({ pointer: '/expiresAfter', detail: 'must be from 1s to 365d' })
    } else if (expiresAfterMs <= startsInMs) {
      errors.push({
        pointer: '/expiresAfter',
        detail: 'must be later than the start, or it would expire before it begins',
      })
    }
  }
  // A moment in the past is now; so no date that PostgreSQL cannot read is passed on.
  const isAhead = at !== undefined && at > now && at <= now + furthestMs
  return { runAt: isAhead ? new Date(at).toISOString() : null, delayMs: delayMs === 0 ? null : delayMs, expiresAfterMs }
}

/** The client's key and the contract's own stand side by side; each alone finds the task again. */
function keysOf(contract: Contract, payload: unknown, key: string | undefined): string[] {
  const keys = key === undefined ? [] : [`key:${key}`]
  const derived = contract.idempotencyKey?.(payload)
  if (derived === undefined) return keys
  // An index row of PostgreSQL has room for about 2 700 bytes.
  const isShort = derived.length <= 255 && textFlaw(derived) === undefined
  const short = isShort ? derived : `sha256-${createHash('sha256').update(derived).digest('hex')}`
  return [...keys, `name:${contract.name}:${short}`]
}
