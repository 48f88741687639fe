/** A task as the API shows it. The OpenAPI document and the answers are made from these schemas. */
import { z } from 'zod'
import type { Viewer } from '../core/caller.ts'
import { ATTEMPT_OUTCOMES, FAILURE_REASONS, STATUSES } from '../core/states.ts'
import { type AttemptView, CONSUMER_ENDS } from '../store/reads/attempts.ts'
import type { TaskView } from '../store/reads/tasks.ts'

const moment = z.iso.datetime()

const failureSchema = z.object({
  name: z.string(),
  message: z.string(),
  stack: z.string().optional().meta({ description: 'Shown to keys with the scope `operate` or `admin`.' }),
  cause: z.string().optional(),
})

const attemptSchema = z.object({
  attempt: z.int(),
  consumer: z.string(),
  version: z.string(),
  startedAt: moment,
  endedAt: moment,
  outcome: z.enum(ATTEMPT_OUTCOMES).meta({ description: '`handed_back` and the first `crash` are not charged.' }),
  error: failureSchema.nullable(),
  errorFingerprint: z.string().nullable(),
  nextAt: moment.nullable().meta({ description: 'When the attempt after this one was due.' }),
  dueAt: moment.nullable().meta({ description: 'When this attempt was due.' }),
  publishedAt: moment.nullable().meta({ description: 'When the message that began it was published.' }),
  reoffers: z.int().nullable().meta({ description: 'How often its message was lost by the broker and offered again.' }),
  consumerEnded: z.enum(CONSUMER_ENDS).nullable().meta({
    description: 'Why its consumer ended, when it did with this attempt in hand: told to stop, lease lost, or silent.',
  }),
})

export const taskSummarySchema = z.object({
  id: z.uuid(),
  name: z.string(),
  queue: z.string(),
  client: z.string(),
  status: z.enum(STATUSES),
  attempt: z.int().meta({ description: 'Executions so far; it only rises.' }),
  failures: z.int().meta({ description: 'Failures charged against the retry ladder.' }),
  crashes: z.int().meta({ description: 'How often the process died under it.' }),
  requestId: z.string(),
  traceId: z.string(),
  userId: z.string().nullable(),
  tags: z.array(z.string()),
  createdAt: moment,
  dueAt: moment.nullable().meta({ description: 'When it may begin next; null once it has ended.' }),
  startedAt: moment.nullable(),
  finishedAt: moment.nullable(),
  expiresAt: moment.nullable(),
  progress: z.unknown(),
  result: z.unknown().meta({ description: 'What the handler returned; readable for RESULT_TTL after the end.' }),
  error: failureSchema.nullable(),
  errorFingerprint: z.string().nullable(),
  failureReason: z.enum(FAILURE_REASONS).nullable(),
  statusUrl: z.string(),
})

export const taskSchema = taskSummarySchema.extend({
  attempts: z.array(attemptSchema),
  ahead: z.int().optional().meta({ description: 'How many tasks of the queue wait before it; absent when not known.' }),
  estimatedStart: moment.optional().meta({
    description: 'When it will begin at the pace of now; absent when there is no basis for saying.',
  }),
})

export type TaskSummaryJson = z.output<typeof taskSummarySchema>
export type FailureJson = z.output<typeof failureSchema>
export type AttemptJson = z.output<typeof attemptSchema>
export type TaskJson = z.output<typeof taskSchema>

/** Writes a task without its attempts. Stacks tell about our code, so only operators see them. */
export function taskSummaryJson(task: TaskView, viewer: Viewer): TaskSummaryJson {
  return {
    ...task,
    tags: [...(task.tags ?? [])],
    createdAt: task.createdAt.toISOString(),
    dueAt: iso(task.dueAt),
    startedAt: iso(task.startedAt),
    finishedAt: iso(task.finishedAt),
    expiresAt: iso(task.expiresAt),
    progress: task.progress ?? null,
    result: task.result ?? null,
    error: errorFor(viewer, task.error),
    statusUrl: `/api/v1/tasks/${task.id}`,
  }
}

/** Writes a task with its ended attempts, oldest first. */
export function taskJson(task: TaskView, attempts: readonly AttemptView[], viewer: Viewer): TaskJson {
  return {
    ...taskSummaryJson(task, viewer),
    attempts: attempts.map((attempt) => ({
      ...attempt,
      startedAt: attempt.startedAt.toISOString(),
      endedAt: attempt.endedAt.toISOString(),
      error: errorFor(viewer, attempt.error),
      nextAt: iso(attempt.nextAt),
      dueAt: iso(attempt.dueAt),
      publishedAt: iso(attempt.publishedAt),
    })),
  }
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null

function errorFor(viewer: Viewer, error: TaskView['error']): TaskSummaryJson['error'] {
  if (error === null || viewer === 'everybody') return error
  const { stack: _, ...rest } = error
  return rest
}
