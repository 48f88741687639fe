/** Writes answers: JSON, text, or pieces as they come; and the headers that make a browser treat them as data. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Answer } from './call.ts'
import type { Head } from './head.ts'
import { type Problem, problemBody } from './problem.ts'

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/**
 * How much of a streamed answer is held for a client that reads slowly. More than a whole batch answer usually has,
 * because a client that sends all before it reads would otherwise wait for us while we wait for it.
 */
const HELD_BYTES = 4 * 1024 * 1024

/** Sends an answer. A stream that fails midway ends the connection, so that it cannot be taken for complete. */
export async function sendAnswer(
  response: ServerResponse,
  { status, headers = {}, body, content }: Answer,
  head: Head,
): Promise<void> {
  const type = content?.type ?? (body === undefined ? undefined : 'application/json; charset=utf-8')
  // All at once: with a header set before it, writeHead sets and checks each of them singly.
  const all = {
    ...idsOf(head),
    ...SECURITY_HEADERS,
    ...(type === undefined ? {} : { 'content-type': type }),
    ...headers,
  }
  const text = content?.text ?? (body === undefined ? '' : JSON.stringify(body))
  if (typeof text === 'string') {
    // A 304 and a 204 have no body, and so no length of one.
    const length = status === 304 || status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }
    response.writeHead(status, { ...all, ...length }).end(text)
    return
  }
  response.writeHead(status, all)
  response.flushHeaders()
  for await (const piece of text) {
    if (response.destroyed) return
    response.write(piece)
    if (response.writableLength > HELD_BYTES) await drained(response)
  }
  response.end()
}

const FLAT_SECURITY_HEADERS = Object.entries(SECURITY_HEADERS).flat()

/**
 * Sends a JSON answer of ASCII alone, its headers as a flat list: made of an object they took twice the time.
 * @param headers names and values in turn
 */
export function sendJson(
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  text: string,
  head: Head,
): void {
  const all = [
    ...flatIdsOf(head),
    ...FLAT_SECURITY_HEADERS,
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(text.length),
    ...headers,
  ]
  response.writeHead(status, all).end(text, 'latin1')
}

/** Resolves when the client has read what was held for it, or has gone. */
async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController()
  const heard = (event: string): Promise<unknown> => once(response, event, { signal: over.signal })
  const [drain, close] = [heard('drain'), heard('close')]
  // Whichever did not come is listened for no more: a slow reader would gather listeners.
  await Promise.race([drain, close]).finally(() => over.abort())
  await Promise.allSettled([drain, close])
}

/** Sends a problem, or ends the connection when an answer had already begun. */
export function sendProblem(response: ServerResponse, problem: Problem, head: Head): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const text = JSON.stringify(problemBody(problem, { requestId: head.requestId, traceId: head.trace.traceId }))
  const headers = { ...SECURITY_HEADERS, 'content-type': 'application/problem+json', ...problem.headers }
  // Set, not only written, so that getHeader tells afterwards whether this answer closes the connection.
  for (const [name, value] of Object.entries(idsOf(head))) response.setHeader(name, value)
  response.writeHead(problem.status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
}

/** What every answer tells, whatever it is: by which ids to ask about it. */
function flatIdsOf({ requestId, trace, refusedId }: Head): readonly string[] {
  const ids = ['x-request-id', requestId, 'traceparent', trace.traceparent]
  return refusedId === undefined ? ids : [...ids, 'x-request-id-refused', refusedId]
}

function idsOf(head: Head): Record<string, string> {
  const ids = { 'x-request-id': head.requestId, traceparent: head.trace.traceparent }
  return head.refusedId === undefined ? ids : { ...ids, 'x-request-id-refused': head.refusedId }
}
