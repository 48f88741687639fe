/** Puts what happened to a task into one list, oldest first. Pure. */
import { z } from 'zod'
import type { OperationView } from '../store/reads.ts'
import type { TaskJson } from './task-json.ts'

export const timelineEventSchema = z.object({
  at: z.iso.datetime(),
  event: z.enum([
    'accepted',
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
export function timelineOf(task: TaskJson, operations: readonly OperationView[]): TimelineEvent[] {
  const events: TimelineEvent[] = [
    { at: task.createdAt, event: 'accepted', detail: `accepted into queue ${task.queue}` },
  ]
  for (const { attempt, startedAt, endedAt, outcome, error, consumer, nextAt } of task.attempts) {
    events.push({ at: startedAt, event: 'attempt_started', attempt, detail: `begun by ${consumer}` })
    events.push({
      at: endedAt,
      event: 'attempt_ended',
      attempt,
      detail: error ? `${outcome}: ${error.name}: ${error.message}` : outcome,
    })
    if (nextAt !== null)
      events.push({ at: nextAt, event: 'retry_due', attempt: attempt + 1, detail: `due after attempt ${attempt}` })
  }
  if (task.status === 'RUNNING' && task.startedAt !== null) {
    events.push({ at: task.startedAt, event: 'attempt_started', attempt: task.attempt, detail: 'running' })
  }
  for (const { at, action, actor, reason } of operations) {
    const event = action === 'redrive' ? 'redriven' : 'cancelled'
    events.push({ at: at.toISOString(), event, detail: reason === null ? `by ${actor}` : `by ${actor}: ${reason}` })
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
