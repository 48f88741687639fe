/** What a route, and whatever reads a request for it, is given; and what it answers. */
import type { IncomingMessage } from 'node:http'
import type { Caller } from '../core/caller.ts'
import type { TraceContext } from '../core/trace.ts'
import type { Place } from '../runtime/tracing/contract.ts'

/** One request, as a route sees it. */
export interface Call {
  /** To read the body from, by the functions of `body.ts` and `input.ts`. */
  readonly request: IncomingMessage
  readonly url: URL
  readonly params: Readonly<Record<string, string>>
  readonly requestId: string
  readonly trace: TraceContext
  /** Where its spans belong; undefined when it is not traced. */
  readonly place: Place
  readonly caller: Caller
  /** `performance.now()` when its head had arrived. */
  readonly receivedAt: number
  /** Aborts when the client has gone or the server is stopping: ends waits, never work. */
  readonly signal: AbortSignal
  /** By its name in lower case. */
  header(name: string): string | undefined
  /**
   * Counts bytes that are held for this request until it is answered.
   * @throws Problem too-much-at-once or unavailable when its client, or this process, holds too many already
   */
  hold(bytes: number): void
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, instead of `body`. Pieces of an iterable are sent as they come. */
  readonly content?: { readonly type: string; readonly text: string | AsyncIterable<string> }
}

/** A call that is answered by whoever has it, and not by what a function returns: for work that many calls share. */
export interface Exchange extends Call {
  /** Sends the answer. */
  send(answer: Answer): void
  /**
   * Sends a JSON answer that is made of ASCII alone.
   * @param headers names and values in turn, beside those that every answer has
   */
  sendJson(status: number, headers: readonly string[], text: string): void
  /** Makes a problem of what was thrown and sends it. */
  fail(error: unknown): void
}
