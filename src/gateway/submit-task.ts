/** `POST /api/v1/tasks`, and the routes of the packs: one task, answered 202 after its commit. */
import type { PackRoute } from 'nightshift-tasks'
import type { NewTask } from '../core/new-task.ts'
import { parseInput, readJson } from '../http/input.ts'
import { type TaskReader, waitSecondsOf } from '../http/prefer.ts'
import { Problem } from '../http/problem.ts'
import { retryAfter } from '../http/retry-after.ts'
import { type Answer, type Call, type Route, type RouteDoc, route } from '../http/route.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import type { AcceptTask } from './accept-task.ts'
import { rateLimitHeaders } from './admit.ts'
import { acceptedSchema, IDEMPOTENCY_KEY, type Submission, submissionSchema } from './schemas.ts'

export interface TaskRoutesOptions {
  readonly tasks: AcceptTask
  /** Each submits one task type, whose contract is among those of the rules of `tasks`. */
  readonly packRoutes: readonly PackRoute[]
  /** For `Prefer: wait`. */
  readonly reader: TaskReader
}

const DOC: Omit<RouteDoc, 'summary' | 'body'> = {
  tag: 'Tasks',
  headers: {
    'Idempotency-Key':
      '1-255 visible ASCII characters, kept 24 h per client. The same key and body give the same answer.',
    Prefer: '`wait=n` waits up to n seconds (at most 30) for the end of the task.',
    traceparent: 'W3C trace context; the trace goes on through the task.',
  },
  answers: {
    200: { says: 'With `Prefer: wait`: it ended in time, and this is the task.', schema: 'Task' },
    202: {
      says: 'Accepted and committed: it will reach SUCCESS, FAILED or CANCELLED.',
      schema: { name: 'Accepted', schema: acceptedSchema },
      headers: {
        Location: 'The status of the task.',
        'Retry-After': 'Seconds after which to look.',
        RateLimit: 'How many tasks of your share are left, and in how many seconds there are more.',
        'Idempotency-Replayed': '`true` when an earlier request with this key was accepted.',
      },
    },
  },
  problems: [
    'malformed-json',
    'request-too-large',
    'unsupported-media-type',
    'invalid-input',
    'idempotency-key-reused',
    'queue-full',
    'unavailable',
  ],
}

/** Makes the routes. */
export function createTaskRoutes(options: TaskRoutesOptions): Route[] {
  const submit = route({
    method: 'post',
    path: '/api/v1/tasks',
    scopes: ['submit'],
    takesTasks: true,
    doc: {
      ...DOC,
      summary: 'Submit a task',
      body: { types: ['application/json'], schema: { name: 'Submission', schema: submissionSchema }, required: true },
    },
    answer: (call) => submitted(options, call, (body) => parseInput(submissionSchema, body), '/payload'),
  })
  return [submit, ...options.packRoutes.map((one) => packRoute(options, one))]
}

/** A route of a pack takes the payload as the body. */
function packRoute(options: TaskRoutesOptions, { method, path, task, summary, description }: PackRoute): Route {
  return route({
    method,
    path,
    scopes: ['submit'],
    takesTasks: true,
    doc: {
      ...DOC,
      summary,
      description: description ?? `The same as submitting \`${task}\` with this body as its payload.`,
      body: { types: ['application/json'], schema: `payload.${task}`, required: true },
    },
    answer: (call) => submitted(options, call, (payload) => ({ name: task, payload }), ''),
  })
}

async function submitted(
  options: TaskRoutesOptions,
  call: Call,
  submissionOf: (body: unknown) => Submission,
  payloadAt: string,
): Promise<Answer> {
  const key = idempotencyKeyOf(call)
  const submission = submissionOf(await readJson(call))
  const { task, body, isReplayed } = await options.tasks.accept(submission, { call, key, payloadAt })
  tracing.about(body.id, task.name)
  metrics.acceptSeconds.observe({}, (performance.now() - call.receivedAt) / 1_000, task.traceparent)
  const headers = {
    location: body.statusUrl,
    ...rateLimitHeaders(task.standing),
    ...(isReplayed ? { 'idempotency-replayed': 'true' } : {}),
  }
  return (
    (await waited(options, call, body.id, headers)) ?? {
      status: 202,
      headers: { ...headers, ...preferenceApplied(call), ...retryAfter(secondsUntil(task)).headers },
      body,
    }
  )
}

/** Waits as long as the client prefers. A failure here must not hide that the task was accepted. */
async function waited(
  { reader }: TaskRoutesOptions,
  call: Call,
  id: string,
  headers: Record<string, string>,
): Promise<Answer | undefined> {
  const seconds = waitSecondsOf(call)
  if (seconds === 0) return undefined
  try {
    const isOver = await reader.waitForEnd(id, seconds * 1_000, call.signal)
    const task = isOver ? await reader.readTask(call, id) : undefined
    return task && { status: 200, headers: { ...headers, ...preferenceApplied(call) }, body: task }
  } catch {
    return undefined
  }
}

function preferenceApplied(call: Call): Record<string, string> {
  const seconds = waitSecondsOf(call)
  return seconds === 0 ? {} : { 'preference-applied': `wait=${seconds}` }
}

function secondsUntil({ runAt, delayMs }: NewTask): number {
  const ms = runAt === null ? (delayMs ?? 0) : Date.parse(runAt) - Date.now()
  return ms / 1_000
}

/**
 * Reads `Idempotency-Key`, as it is or as a quoted string (RFC 8941).
 * @throws Problem invalid-parameter when it is not 1-255 visible ASCII characters
 */
function idempotencyKeyOf(call: Call): string | undefined {
  const given = call.header('idempotency-key')
  if (given === undefined) return undefined
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(given)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
  const key = quoted ?? given
  if (IDEMPOTENCY_KEY.test(key)) return key
  throw new Problem('invalid-parameter', 'the header Idempotency-Key must be 1-255 visible ASCII characters')
}
