/**
 * What is said when a request is refused or fails: RFC 9457 problem details. Every kind of problem is one row of the
 * table below, which is also what the documentation page lists under `#problem-<slug>`.
 */

import { z } from 'zod'
import { isOutage } from '../core/database-errors.ts'
import { storableText } from '../core/storable.ts'
import { retryAfter } from './retry-after.ts'

export const PROBLEMS = {
  'malformed-request': {
    status: 400,
    title: 'The request is malformed',
    says: 'The request line, a header or the framing is not valid HTTP, or is ambiguous. Fix the client or the proxy.',
  },
  'malformed-json': {
    status: 400,
    title: 'The body is not JSON',
    says: 'The body must be one JSON text in UTF-8. The detail says where reading stopped.',
  },
  'invalid-parameter': {
    status: 400,
    title: 'A query parameter or header is not valid',
    says: 'The detail names it. Unknown parameters are refused, so that a typo never widens a filter in silence.',
  },
  unauthenticated: {
    status: 401,
    title: 'Who calls is not known',
    says: 'Send `Authorization: Bearer <key>` with a key that is neither expired nor revoked.',
  },
  'missing-scope': {
    status: 403,
    title: 'The key may not do this',
    says: 'The detail names the scopes of which the key needs one. Ask for a key that has it.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    says: 'No such path, or no such task or request among those that this key may see.',
  },
  'method-not-allowed': { status: 405, title: 'Not by this method', says: 'The header `Allow` lists the methods.' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive', says: 'Send it again.' },
  'wrong-state': {
    status: 409,
    title: 'The task is in a state that cannot',
    says: 'Only FAILED tasks can be retried and only unfinished ones cancelled. The detail names the state.',
  },
  'request-too-large': {
    status: 413,
    title: 'The body is too large',
    says: 'At most 256 KiB, in a batch at most 8 MiB and 10 000 items. Keep large data elsewhere and send its name.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is of a kind that is not read',
    says: 'The detail names the types that are read here: JSON, lines of JSON for a batch, CloudEvents. In UTF-8, not compressed.',
  },
  'expectation-failed': { status: 417, title: 'The expectation is not known', says: 'Leave the header `Expect` out.' },
  'invalid-input': {
    status: 422,
    title: 'The input does not fit its schema',
    says: 'Each entry of `errors` points (RFC 6901) to a place in the body and says what is wrong there.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key stands for another request',
    says: 'A different body was accepted under this key in the last 24 h. Use a new key for a new task.',
  },
  'queue-full': {
    status: 429,
    title: 'The queue is full for you',
    says: 'You ask for more than your share of a queue that is deep. Come again after `Retry-After`; it is made for you.',
  },
  'too-much-at-once': {
    status: 429,
    title: 'Too many bytes at once',
    says: 'Your requests that are not answered yet are too large together. Send fewer at once, after `Retry-After`.',
  },
  'headers-too-large': { status: 431, title: 'The headers are too large', says: 'At most 100 headers and 16 KiB.' },
  internal: {
    status: 500,
    title: 'Something of ours failed',
    says: 'This is a defect. Report the request id; the log has the cause under it.',
  },
  unavailable: {
    status: 503,
    title: 'Not available at the moment',
    says: 'The database does not answer. Repeat after `Retry-After`, with the same Idempotency-Key.',
  },
} as const satisfies Record<string, { status: number; title: string; says: string }>

export type ProblemSlug = keyof typeof PROBLEMS

/** One place in the input, and what is wrong there. */
export interface PointedError {
  /** JSON Pointer (RFC 6901) into the body. */
  readonly pointer: string
  readonly detail: string
}

export interface ProblemExtras {
  readonly errors?: readonly PointedError[]
  readonly headers?: Readonly<Record<string, string>>
  /** When to come again: told in the header and in the body. */
  readonly retryAfterSeconds?: number
  /** Further members of the answer, as RFC 9457 allows for a kind of problem. */
  readonly members?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** Thrown by anything that answers a request; becomes the answer. The detail may quote the client: it is cut and cleaned. */
export class Problem extends Error {
  override name = 'Problem'
  readonly slug: ProblemSlug
  readonly errors: readonly PointedError[]
  readonly headers: Readonly<Record<string, string>>
  readonly members: Readonly<Record<string, unknown>>

  constructor(
    slug: ProblemSlug,
    detail: string,
    { errors = [], headers = {}, retryAfterSeconds, members = {}, cause }: ProblemExtras = {},
  ) {
    super(storableText(detail, 1_000), { cause })
    this.slug = slug
    this.errors = errors.slice(0, 20).map(({ pointer, detail: text }) => ({
      pointer: storableText(pointer, 500),
      detail: storableText(text, 500),
    }))
    const again = retryAfterSeconds === undefined ? undefined : retryAfter(retryAfterSeconds)
    this.headers = { ...again?.headers, ...headers }
    this.members = again ? { ...members, retryAfterSeconds: again.retryAfterSeconds } : members
  }

  get status(): number {
    return PROBLEMS[this.slug].status
  }
}

export const problemSchema = z.object({
  type: z.string().meta({ description: 'A reference to the description of this kind of problem.' }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().meta({ description: 'Where the tasks of this request can be looked up.' }),
  requestId: z.string(),
  traceId: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  queue: z.string().optional().meta({ description: 'Of `queue-full`: the queue that is deep.' }),
  backlog: z.int().optional().meta({ description: 'Of `queue-full`: tasks that wait.' }),
  limit: z.int().optional().meta({ description: 'Of `queue-full`: the mark at which only shares come in.' }),
  retryAfterSeconds: z.int().optional().meta({ description: 'Of `queue-full` and `unavailable`: when to come again.' }),
  sharePerSecond: z.number().optional().meta({ description: 'Of `queue-full`: your share, tasks per second.' }),
})

/** Writes a problem as the JSON of its answer. */
export function problemBody(
  problem: Problem,
  of: { requestId: string; traceId: string },
): z.output<typeof problemSchema> {
  return {
    type: `/docs#problem-${problem.slug}`,
    title: PROBLEMS[problem.slug].title,
    status: problem.status,
    detail: problem.message,
    instance: `/api/v1/requests/${encodeURIComponent(of.requestId)}`,
    requestId: of.requestId,
    traceId: of.traceId,
    ...(problem.errors.length > 0 ? { errors: [...problem.errors] } : {}),
    ...problem.members,
  }
}

/** Makes the problem that an error is for the client; nothing of the error itself is told. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isOutage(error)) return unavailable('the database does not answer; repeat this after a while', error)
  // What express throws of its own accord: a path that cannot be decoded.
  if (error instanceof URIError) return new Problem('malformed-request', 'the path cannot be decoded', { cause: error })
  return new Problem('internal', 'something of ours failed; the log has the cause under this request id', {
    cause: error,
  })
}

/** A database that is away is often back by then. */
const OUTAGE_SECONDS = 2

/** Makes the problem of a database that is away or does not answer in time. */
export function unavailable(detail: string, cause?: unknown): Problem {
  return new Problem('unavailable', detail, { retryAfterSeconds: OUTAGE_SECONDS, cause })
}
