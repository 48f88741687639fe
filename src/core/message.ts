/**
 * What travels on the broker: a wake-up that names a task and the attempt it may begin, with properties and headers that
 * tell whose it is. The payload stays in PostgreSQL.
 * The format is documented in docs/message-format.md, so that another language can read it.
 */
import { isUuid } from './uuid.ts'

const MESSAGE_VERSION = 1

export interface WakeUp {
  /** The task's id, a UUID. */
  readonly id: string
  /** The attempt this message may begin, 1 or more. */
  readonly attempt: number
  /** Run it with no other attempt in the process. */
  readonly alone: boolean
}

const MAX_MESSAGE_BYTES = 1_024

/** Writes the body. */
export function encodeWakeUp(wakeUp: WakeUp): Buffer {
  const body = { v: MESSAGE_VERSION, id: wakeUp.id, attempt: wakeUp.attempt, ...(wakeUp.alone ? { alone: true } : {}) }
  return Buffer.from(JSON.stringify(body))
}

/** What a message says of its task beside the wake-up, for people, traces and other languages. */
export interface MessageFacts {
  /** The outbox row's id; the broker names a returned message by nothing else. */
  readonly outboxId: string
  readonly taskName: string
  readonly requestId: string
  readonly client: string
  readonly traceparent: string
  readonly tracestate: string | null
}

/** Makes the AMQP properties and headers. @param publishedAt milliseconds since 1970 */
export function propertiesOf(facts: MessageFacts, publishedAt: number) {
  return {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    messageId: facts.outboxId,
    correlationId: facts.requestId,
    type: facts.taskName,
    headers: {
      traceparent: facts.traceparent,
      ...(facts.tracestate === null ? {} : { tracestate: facts.tracestate }),
      'x-request-id': facts.requestId,
      'x-client': facts.client,
      'x-published-at': publishedAt,
    },
  }
}

/** The year 2200. */
const MOST_MOMENT_MS = 7_258_118_400_000

/**
 * Reads from the headers when a message was published. Anybody may write a header: what is no moment that PostgreSQL can
 * store is as good as nothing.
 */
export function publishedAtOf(headers: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const at = headers?.['x-published-at']
  return typeof at === 'number' && at > 0 && at < MOST_MOMENT_MS ? at : undefined
}

/**
 * Reads a body. Unknown fields are allowed, so that the format can grow.
 * @returns the wake-up, or one sentence saying why it cannot be understood
 */
export function decodeWakeUp(body: Buffer): WakeUp | { readonly unreadable: string } {
  if (body.length > MAX_MESSAGE_BYTES)
    return { unreadable: `the body has ${body.length} bytes, over ${MAX_MESSAGE_BYTES}` }
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return { unreadable: 'the body is not JSON' }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { unreadable: 'the body is not a JSON object' }
  }
  const { v, id, attempt, alone } = parsed as Record<string, unknown>
  if (v !== MESSAGE_VERSION) return { unreadable: `the version is ${JSON.stringify(v)}, not ${MESSAGE_VERSION}` }
  if (typeof id !== 'string' || !isUuid(id)) return { unreadable: 'the id is not a UUID' }
  if (typeof attempt !== 'number' || !Number.isInteger(attempt) || attempt < 1 || attempt > 1_000_000) {
    return { unreadable: 'the attempt is not a whole number from 1 to 1000000' }
  }
  return { id, attempt, alone: alone === true }
}
