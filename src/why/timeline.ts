/** Puts what happened to a task into one list, oldest first. Pure. */
import { z } from 'zod'
import type { AttemptJson, TaskJson } from '../status/task-json.ts'
import type { OperationView } from '../store/reads/operations.ts'
import type { Stand } from '../store/reads/story.ts'
import { causeOf } from './why-failed.ts'
import { durationWords, numberWords, timesWords } from './words.ts'

export const timelineEventSchema = z.object({
  at: z.iso.datetime(),
  event: z.enum([
    'accepted',
    'published',
    'attempt_started',
    'attempt_ended',
    'retry_due',
    'dead_lettered',
    'redriven',
    'cancelled',
    'finished',
  ]),
  attempt: z.int().optional(),
  detail: z.string(),
})
export type TimelineEvent = z.output<typeof timelineEventSchema>

/** Makes the list. Events of the same moment stay in the order in which they must have happened. */
export function timelineOf(
  task: TaskJson,
  operations: readonly OperationView[],
  stand: Stand | undefined,
): TimelineEvent[] {
  const events: TimelineEvent[] = [{ at: task.createdAt, event: 'accepted', detail: acceptedText(task, stand) }]
  for (const attempt of task.attempts) events.push(...attemptEvents(task, attempt))
  if (task.status === 'RUNNING' && task.startedAt !== null) {
    const { attempt, dueAt, startedAt } = task
    const { publishedAt = null, reoffers = 0, holder, holderVersion } = stand ?? {}
    const published = publishedEvent(task, { attempt, publishedAt: publishedAt?.toISOString() ?? null, reoffers })
    const by = holder ? `by ${holder} ${holderVersion}, ` : ''
    const until = stand?.deadlineAt ? `, until ${stand.deadlineAt.toISOString()} at most` : ''
    const detail = `${by}${waitText(dueAt, startedAt)}${until}`
    events.push(...published, { at: startedAt, event: 'attempt_started', attempt, detail })
  }
  for (const { at, action, actor, reason, requestId } of operations) {
    const event = action === 'redrive' ? 'redriven' : 'cancelled'
    const detail = `by ${actor}${reason === null ? '' : `: ${reason}`} (request ${requestId})`
    events.push({ at: at.toISOString(), event, detail })
  }
  events.sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
  // Last whatever its time says: one statement writes it and what led to it, each with its own reading of the clock.
  if (task.finishedAt !== null) {
    const isDead = task.status === 'FAILED'
    const detail = isDead ? `${task.status} (${task.failureReason ?? 'unknown reason'})` : task.status
    events.push({ at: task.finishedAt, event: isDead ? 'dead_lettered' : 'finished', detail })
  }
  return events
}

function acceptedText(task: TaskJson, stand: Stand | undefined): string {
  const { acceptedBy, ahead, idempotencyKey, runAt } = stand ?? {}
  return [
    `from ${task.client} into queue ${task.queue}`,
    ...(acceptedBy ? [`by ${acceptedBy}`] : []),
    ...(idempotencyKey ? [keyText(idempotencyKey)] : []),
    ...(ahead == null ? [] : [ahead === 0 ? 'nothing before it' : `up to ${numberWords(ahead)} before it`]),
    ...(runAt ? [`to begin at ${runAt.toISOString()}`] : []),
  ].join(', ')
}

/** Keys are stored as `key:<sent>` or `name:<task type>:<derived>`. */
function keyText(stored: string): string {
  if (stored.startsWith('key:')) return `idempotency key ${stored.slice(4)}`
  return `idempotency key ${stored.replace(/^name:[^:]*:/, '')}, made from its payload`
}

function attemptEvents(task: TaskJson, attempt: AttemptJson): TimelineEvent[] {
  const { attempt: number, startedAt, endedAt, outcome, error, errorFingerprint, consumer, version, nextAt } = attempt
  const took = durationWords(Date.parse(endedAt) - Date.parse(startedAt))
  const group = error !== null && errorFingerprint !== null ? `, fingerprint ${errorFingerprint}` : ''
  const ended = `${outcome.replace('_', ' ')} after ${took}${error ? `: ${causeOf(error)}${group}` : ''}`
  const by = `by ${consumer}${version === '' ? '' : ` ${version}`}`
  const started = `${by}, ${waitText(attempt.dueAt, startedAt)}`
  return [
    ...publishedEvent(task, attempt),
    { at: startedAt, event: 'attempt_started', attempt: number, detail: started },
    { at: endedAt, event: 'attempt_ended', attempt: number, detail: ended },
    ...(nextAt === null
      ? []
      : [
          {
            at: nextAt,
            event: 'retry_due' as const,
            attempt: number + 1,
            detail: `${durationWords(Date.parse(nextAt) - Date.parse(endedAt))} after attempt ${number}`,
          },
        ]),
  ]
}

function waitText(dueAt: string | null, startedAt: string): string {
  if (dueAt === null) return 'how long after it was due is not kept'
  return `${durationWords(Date.parse(startedAt) - Date.parse(dueAt))} after it was due`
}

/** By the clock of the api that published it, which may differ from the database's: never before it was accepted. */
function publishedEvent(
  task: TaskJson,
  { attempt, publishedAt, reoffers }: Pick<AttemptJson, 'attempt' | 'publishedAt' | 'reoffers'>,
): TimelineEvent[] {
  if (publishedAt === null) return []
  const at = Date.parse(publishedAt) < Date.parse(task.createdAt) ? task.createdAt : publishedAt
  const detail = reoffers ? `after the broker had lost its message ${timesWords(reoffers)}` : 'to the broker'
  return [{ at, event: 'published', attempt, detail }]
}
