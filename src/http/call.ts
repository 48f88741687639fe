/** What a route, and whatever reads a request for it, is given. */
import type { IncomingMessage } from 'node:http'
import type { Caller } from '../core/caller.ts'
import type { TraceContext } from '../core/trace.ts'

/** One request, as a route sees it. */
export interface Call {
  /** To read the body from, by the functions of `body.ts` and `input.ts`. */
  readonly request: IncomingMessage
  readonly url: URL
  readonly params: Readonly<Record<string, string>>
  readonly requestId: string
  readonly trace: TraceContext
  readonly caller: Caller
  /** `performance.now()` when its head had arrived. */
  readonly receivedAt: number
  /** Aborts when the client has gone or the server is stopping: ends waits, never work. */
  readonly signal: AbortSignal
  /** By its name in lower case. */
  header(name: string): string | undefined
}
