/**
 * The way of a request: head, route, caller, scope, answer. Whatever is thrown on the way becomes a problem+json answer,
 * and every answer carries the request id.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { sendAnswer, sendProblem } from './answer.ts'
import { type Authenticate, requireScope } from './auth.ts'
import type { Call } from './call.ts'
import { checkHead, headOf } from './head.ts'
import { type Begun, createPages } from './pages.ts'
import { Problem, problemOf } from './problem.ts'
import type { Route } from './route.ts'
import { type Params, pathOf, Router } from './router.ts'
import { WaitSignals } from './wait-signals.ts'

export interface DispatcherOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly log: Log
}

const ANONYMOUS = { client: 'anonymous', scopes: [] }
const NO_PARAMS: Params = {}

/** Answers the requests of all routes. It never throws, and no request ends without an answer. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #router: Router
  readonly #pages: (begun: Begun) => void
  readonly #waits = new WaitSignals()
  #underWay = 0
  #onIdle: (() => void) | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#router = new Router(options.routes.filter(({ isPage }) => !isPage))
    this.#pages = createPages({
      routes: options.routes.filter(({ isPage }) => isPage),
      answer: (page, begun) => void this.#answer(page, begun, NO_PARAMS),
      otherMethod: (allow, begun) => this.#otherMethod(allow, begun),
      nothingHere: (begun) => this.#nothingHere(begun),
      fail: (error, begun) => void this.#fail(error, begun),
    })
  }

  /** Listens to requests. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#underWay += 1
    response.once('close', () => {
      this.#underWay -= 1
      if (this.#underWay === 0) this.#onIdle?.()
    })
    const begun = { request, response, head: headOf(request) }
    if (!this.#isTrusted(begun)) return
    const found = this.#router.find(request.method ?? '', request.url ?? '')
    if (found === undefined) this.#pages(begun)
    else if (found.route) void this.#answer(found.route, begun, found.params)
    else this.#otherMethod(found.allow, begun)
  }

  /** Ends the waits of all calls under way, so that they answer now. */
  endWaits(): void {
    this.#waits.endAll()
  }

  /** Resolves when no call is under way and every answer is sent, or after `withinMs`. */
  async idle(withinMs: number): Promise<void> {
    if (this.#underWay === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle = resolve
    const timer = setTimeout(resolve, withinMs)
    await promise
    clearTimeout(timer)
  }

  /** Checks the head. When it is not to be trusted the request is answered here. */
  #isTrusted(begun: Begun): boolean {
    try {
      checkHead(begun.request)
      return true
    } catch (error) {
      this.#fail(error, begun)
      return false
    }
  }

  async #answer(route: Route, begun: Begun, params: Params): Promise<void> {
    const { request, response, head } = begun
    try {
      tracing.route(request.method ?? '', route.path)
      const isPublic = route.scopes.length === 0
      const caller = isPublic ? ANONYMOUS : await this.#options.authenticate(request)
      if (!isPublic) requireScope(caller, route.scopes)
      const made = await route.answer(this.#callOf(begun, params, caller))
      const { method } = request
      const ids = { request_id: head.requestId, trace_id: head.trace.traceId, client: caller.client }
      this.#options.log.debug({ method, path: route.path, status: made.status, ...ids }, 'request answered')
      await sendAnswer(response, made, head)
    } catch (error) {
      const { slug } = this.#fail(error, begun)
      if (route.takesTasks) metrics.tasksRejected.inc({ reason: slug })
    }
  }

  #callOf({ request, response, head }: Begun, params: Params, caller: Call['caller']): Call {
    const waits = this.#waits
    return {
      request,
      get url() {
        return new URL(request.url ?? '/', 'http://here')
      },
      params,
      requestId: head.requestId,
      trace: head.trace,
      receivedAt: head.receivedAt,
      caller,
      get signal() {
        return waits.signalOf(response)
      },
      header(name) {
        const value = request.headers[name]
        return typeof value === 'string' ? value : undefined
      },
    }
  }

  #otherMethod(allow: string, begun: Begun): void {
    const { request, response, head } = begun
    if (request.method === 'OPTIONS') return void sendAnswer(response, { status: 204, headers: { allow } }, head)
    const what = `${request.method} is not one of ${allow}`
    this.#fail(new Problem('method-not-allowed', what, { headers: { allow } }), begun)
  }

  #nothingHere(begun: Begun): void {
    const path = pathOf(begun.request.url ?? '').slice(0, 200)
    this.#fail(new Problem('not-found', `there is nothing at ${path}; see /docs`), begun)
  }

  #fail(error: unknown, { request, response, head }: Begun): Problem {
    const { log } = this.#options
    const problem = problemOf(error)
    // Neither the query nor the problem's text, which may quote what the client has sent.
    const path = request.url?.split('?')[0]?.slice(0, 200)
    const fields = { request_id: head.requestId, trace_id: head.trace.traceId, path, problem: problem.slug }
    if (problem.slug === 'internal') log.error({ ...fields, error }, 'request failed')
    else log.debug(fields, 'request refused')
    sendProblem(response, problem, head)
    return problem
  }
}
