/** One request from its head to its answer. Made once per request, so it makes what it can only when it is asked for. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../core/caller.ts'
import type { TraceContext } from '../core/trace.ts'
import type { Place } from '../runtime/tracing/contract.ts'
import { tracing } from '../runtime/tracing.ts'
import { sendAnswer, sendJson } from './answer.ts'
import type { Answer, Exchange } from './call.ts'
import { type Head, headOf } from './head.ts'
import type { Params } from './router.ts'

/** What the server does for all requests. */
export interface ExchangeHost {
  /** Logs, counts and answers what was thrown. */
  fail(error: unknown, exchange: HttpExchange): void
  /** Notes that it was answered. */
  answered(exchange: HttpExchange, status: number): void
  signalOf(response: ServerResponse): AbortSignal
  takeBytes(client: string, bytes: number): void
}

const ANONYMOUS: Caller = { client: 'anonymous', scopes: [] }
const NO_PARAMS: Params = {}

export class HttpExchange implements Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly head: Head
  readonly place: Place
  readonly #host: ExchangeHost
  params: Params = NO_PARAMS
  caller: Caller = ANONYMOUS
  /** The route's path, such as `/api/v1/tasks/{id}`, once it is known. */
  path: string | undefined
  /** What refuses it counts as a task refused. */
  takesTasks = false
  /** Bytes of its body that are held. */
  held = 0

  constructor(request: IncomingMessage, response: ServerResponse, host: ExchangeHost) {
    this.request = request
    this.response = response
    this.#host = host
    this.head = headOf(request)
    this.place = tracing.place()
  }

  get url(): URL {
    return new URL(this.request.url ?? '/', 'http://here')
  }

  get requestId(): string {
    return this.head.requestId
  }

  get trace(): TraceContext {
    return this.head.trace
  }

  get receivedAt(): number {
    return this.head.receivedAt
  }

  get signal(): AbortSignal {
    return this.#host.signalOf(this.response)
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return typeof value === 'string' ? value : undefined
  }

  hold(bytes: number): void {
    this.#host.takeBytes(this.caller.client, bytes)
    this.held += bytes
  }

  send(answer: Answer): void {
    this.#host.answered(this, answer.status)
    sendAnswer(this.response, answer, this.head).catch((error: unknown) => this.fail(error))
  }

  sendJson(status: number, headers: readonly string[], text: string): void {
    this.#host.answered(this, status)
    sendJson(this.response, status, headers, text, this.head)
  }

  fail(error: unknown): void {
    this.#host.fail(error, this)
  }
}
