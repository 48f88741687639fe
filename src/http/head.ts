/**
 * Reads what every request's head must tell: its id and trace. Refuses heads that a proxy in front might have understood
 * differently (request smuggling): Node lets these through.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type TraceContext, traceFrom } from '../core/trace.ts'
import { tracing } from '../runtime/tracing.ts'
import { Problem } from './problem.ts'

/** As for idempotency keys, so that an id of either kind can be looked up. */
export const REQUEST_ID = /^[\x21-\x7e]{1,255}$/

export interface Head {
  readonly requestId: string
  /** Why the id that was sent is not the request's; undefined when it is, or when none was sent. */
  readonly refusedId: string | undefined
  readonly trace: TraceContext
  readonly receivedAt: number
}

/** Two of them are joined by Node with a comma and a space, which is not visible. */
const REFUSED_ID = 'X-Request-Id must be sent once, as 1-255 visible ASCII characters'

/** Reads the request id, or makes one when there is none or it is not one; likewise the trace. Never throws. */
export function headOf(request: IncomingMessage): Head {
  const given = text(request, 'x-request-id')
  const refusedId = given === undefined || REQUEST_ID.test(given) ? undefined : REFUSED_ID
  const requestId = given === undefined || refusedId !== undefined ? randomUUID() : given
  const offered = traceFrom(text(request, 'traceparent'), text(request, 'tracestate'))
  return {
    requestId,
    refusedId,
    trace: tracing.request(requestId, offered),
    receivedAt: performance.now(),
  }
}

/**
 * Refuses an ambiguous head, and one that expects what is not known.
 * @throws Problem malformed-request, expectation-failed
 */
export function checkHead(request: IncomingMessage): void {
  const { rawHeaders } = request
  const refuse = (what: string): never => {
    throw new Problem('malformed-request', what, { headers: { connection: 'close' } })
  }
  const count = (name: string): number => {
    let found = 0
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const raw = rawHeaders[at] as string
      if (raw.length === name.length && raw.toLowerCase() === name) found += 1
    }
    return found
  }
  if (count('host') > 1) refuse('more than one Host header')
  if (count('host') === 0 && request.httpVersion !== '1.0') refuse('no Host header')
  if (count('content-length') > 1) refuse('more than one Content-Length header')
  const encoding = request.headers['transfer-encoding']
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || count('transfer-encoding') > 1)) {
    refuse('the only Transfer-Encoding is chunked')
  }
  if (encoding !== undefined && request.headers['content-length'] !== undefined) {
    refuse('both Transfer-Encoding and Content-Length')
  }
  const { url = '' } = request
  if (!url.startsWith('/')) refuse('the request target must be a path')
  if (url.includes('%') && !isDecodable(url)) refuse('the path or query has percent-encoding that is not UTF-8')
  const { expect } = request.headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw new Problem('expectation-failed', 'the only expectation known is 100-continue')
  }
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

function text(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
