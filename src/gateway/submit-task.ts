/** `POST /api/v1/tasks`, and the routes of the packs: one task, answered 202 after its commit. */
import type { PackRoute } from 'nightshift-tasks'
import { collectBody } from '../http/body.ts'
import { BODY_LIMIT_BYTES, mediaTypeOf } from '../http/input.ts'
import { type TaskReader, waitSecondsOf } from '../http/prefer.ts'
import { Problem } from '../http/problem.ts'
import { retryAfter } from '../http/retry-after.ts'
import { type Content, type Exchange, type Route, type RouteDoc, route } from '../http/route.ts'
import { tracing } from '../runtime/tracing.ts'
import { acceptedBody, type EnteredRow, isEntered, statusUrlOf } from './accepted.ts'
import { rateLimitHeaders } from './admit.ts'
import { CLOUD_EVENT, CLOUD_EVENTS, cloudEventOf, cloudEventSchema } from './cloud-events.ts'
import { type Form, payloadOf, SUBMISSION } from './forms.ts'
import type { Intake } from './intake.ts'
import { Row } from './row.ts'
import { acceptedSchema, IDEMPOTENCY_KEY, submissionSchema } from './schemas.ts'

export interface TaskRoutesOptions {
  readonly intake: Intake
  /** Each submits one task type, whose contract is among those of the rules of the intake. */
  readonly packRoutes: readonly PackRoute[]
  /** For `Prefer: wait`. */
  readonly reader: TaskReader
}

const JSON_TYPE = 'application/json'
const EVENT_CONTENT: Content = { type: CLOUD_EVENT, schema: { name: 'CloudEvent', schema: cloudEventSchema } }

/** How a task is read, by the type of the body. */
interface Forms {
  readonly plain: Form
  readonly event: Form
}

const FORMS: Forms = { plain: SUBMISSION, event: cloudEventOf() }

const DOC: Omit<RouteDoc, 'summary' | 'body'> = {
  tag: 'Tasks',
  headers: {
    'Idempotency-Key':
      '1-255 visible ASCII characters, kept 24 h per client. The same key and body give the same answer.',
    Prefer: '`wait=n` waits up to n seconds (at most 30) for the end of the task; only with a key that may read it.',
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
    'too-much-at-once',
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
      body: {
        required: true,
        contents: [{ type: JSON_TYPE, schema: { name: 'Submission', schema: submissionSchema } }, EVENT_CONTENT],
      },
    },
    take: (exchange) => submitOne(options, exchange, FORMS),
  })
  return [submit, ...options.packRoutes.map((one) => packRoute(options, one))]
}

/** A route of a pack takes the payload as the body. */
function packRoute(options: TaskRoutesOptions, { method, path, task, summary, description }: PackRoute): Route {
  const forms: Forms = { plain: payloadOf(task), event: cloudEventOf(task) }
  return route({
    method,
    path,
    scopes: ['submit'],
    takesTasks: true,
    doc: {
      ...DOC,
      summary,
      description: description ?? `The same as submitting \`${task}\` with this body as its payload.`,
      body: { required: true, contents: [{ type: JSON_TYPE, schema: `payload.${task}` }, EVENT_CONTENT] },
    },
    take: (exchange) => submitOne(options, exchange, forms),
  })
}

function submitOne({ intake, reader }: TaskRoutesOptions, exchange: Exchange, forms: Forms): void {
  const key = idempotencyKeyOf(exchange)
  const form = formOf(exchange, forms)
  const done = (row: Row): void => answer(reader, exchange, row)
  collectBody(
    exchange,
    BODY_LIMIT_BYTES,
    (sent) => intake.push([new Row({ call: exchange, form, sent, key, done })]),
    (error) => exchange.fail(error),
  )
}

function formOf(exchange: Exchange, { plain, event }: Forms): Form {
  const type = mediaTypeOf(exchange, [JSON_TYPE, CLOUD_EVENT], {
    [CLOUD_EVENTS]: 'a batch of events goes to POST /api/v1/tasks/batch',
  })
  return type === CLOUD_EVENT ? event : plain
}

function answer(reader: TaskReader, exchange: Exchange, row: Row): void {
  try {
    if (!isEntered(row)) exchange.fail(row.problem)
    else {
      tracing.about(exchange.place, row.accepted.id, row.task.name)
      const seconds = waitSecondsFor(exchange)
      if (seconds === 0) answerAccepted(exchange, row, [])
      else void answerAfterWait(reader, exchange, row, seconds)
    }
  } catch (error) {
    exchange.fail(error)
  }
}

function answerAccepted(exchange: Exchange, row: EnteredRow, headers: readonly string[]): void {
  const body = acceptedBody(row)
  const again = retryAfter(secondsUntil(row)).headers['retry-after']
  exchange.sendJson(202, [...headersOf(row), ...headers, 'retry-after', again], JSON.stringify(body))
}

function headersOf({ accepted, standing }: EnteredRow): string[] {
  const headers = ['location', statusUrlOf(accepted.id)]
  for (const [name, value] of Object.entries(rateLimitHeaders(standing))) headers.push(name, value)
  if (accepted.kind === 'replayed') headers.push('idempotency-replayed', 'true')
  return headers
}

/** A key that may only submit is told nothing of how a task ends. */
function waitSecondsFor(exchange: Exchange): number {
  const { scopes } = exchange.caller
  const mayRead = scopes.includes('read') || scopes.includes('operate') || scopes.includes('admin')
  return mayRead ? waitSecondsOf(exchange) : 0
}

/** Waits as long as the client prefers. A failure here must not hide that the task was accepted. */
async function answerAfterWait(
  reader: TaskReader,
  exchange: Exchange,
  row: EnteredRow,
  seconds: number,
): Promise<void> {
  const { id } = row.accepted
  const applied = `wait=${seconds}`
  try {
    const isOver = await reader.waitForEnd(id, seconds * 1_000, exchange.signal)
    const task = isOver ? await reader.readTask(exchange, id) : undefined
    if (task) {
      const flat = [...headersOf(row), 'preference-applied', applied]
      const headers = Object.fromEntries(
        flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] as string]] : [])),
      )
      exchange.send({ status: 200, headers, body: task })
      return
    }
  } catch {
    // Answered as accepted.
  }
  answerAccepted(exchange, row, ['preference-applied', applied])
}

function secondsUntil({ task: { runAt, delayMs } }: EnteredRow): number {
  const ms = runAt === null ? (delayMs ?? 0) : Date.parse(runAt) - Date.now()
  return ms / 1_000
}

/**
 * Reads `Idempotency-Key`, as it is or as a quoted string (RFC 8941).
 * @throws Problem invalid-parameter when it is not 1-255 visible ASCII characters
 */
function idempotencyKeyOf(call: Exchange): string | undefined {
  const given = call.header('idempotency-key')
  if (given === undefined) return undefined
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(given)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
  const key = quoted ?? given
  if (IDEMPOTENCY_KEY.test(key)) return key
  throw new Problem('invalid-parameter', 'the header Idempotency-Key must be 1-255 visible ASCII characters')
}
