/**
 * Reads what every request's head must tell: its id and trace. Refuses heads that a proxy in front might have understood
 * differently (request smuggling): Node lets these through.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type TraceContext, traceFrom } from '../core/trace.ts'
import { tracing } from '../runtime/tracing.ts'
import { Problem } from './problem.ts'

export const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/

export interface Head {
  readonly requestId: string
  readonly trace: TraceContext
  readonly receivedAt: number
}

/** Reads the request id, or makes one when there is none or it is not one; likewise the trace. Never throws. */
export function headOf(request: IncomingMessage): Head {
  const given = text(request, 'x-request-id')
  const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID()
  const offered = traceFrom(text(request, 'traceparent'), text(request, 'tracestate'))
  return {
    requestId,
    trace: tracing === undefined ? offered : tracing.request(requestId, offered),
    receivedAt: performance.now(),
  }
}

/**
 * Refuses an ambiguous head.
 * @throws Problem malformed-request
 */
export function checkHead(request: IncomingMessage): void {
  const { rawHeaders } = request
  const refuse = (what: string): never => {
    throw new Problem('malformed-request', what, { headers: { connection: 'close' } })
  }
  const count = (name: string): number =>
    rawHeaders.filter((raw, index) => index % 2 === 0 && raw.toLowerCase() === name).length
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
  if (!request.url?.startsWith('/')) refuse('the request target must be a path')
  try {
    decodeURIComponent((request.url as string).replaceAll('+', ' '))
  } catch {
    refuse('the path or query has percent-encoding that is not UTF-8')
  }
}

function text(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
