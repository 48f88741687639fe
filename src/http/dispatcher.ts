/**
 * The way of a request: head, route, caller, scope, answer. Whatever is thrown on the way becomes a problem+json answer,
 * and every answer carries the request id.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../core/caller.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { sendAnswer, sendProblem } from './answer.ts'
import { type Authenticate, requireScope } from './auth.ts'
import { BodyBudget, type BodyLimits } from './body-budget.ts'
import { type ExchangeHost, HttpExchange } from './exchange.ts'
import { checkHead } from './head.ts'
import { createPages } from './pages.ts'
import { Problem, problemOf } from './problem.ts'
import type { Route } from './route.ts'
import { pathOf, Router } from './router.ts'
import { WaitSignals } from './wait-signals.ts'

export interface DispatcherOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly log: Log
  readonly bodyLimits?: BodyLimits | undefined
}

/** Answers the requests of all routes. It never throws, and no request ends without an answer. */
export class Dispatcher implements ExchangeHost {
  readonly #options: DispatcherOptions
  readonly #router: Router
  readonly #pages: (exchange: HttpExchange) => void
  readonly #waits = new WaitSignals()
  readonly #bodies: BodyBudget
  #underWay = 0
  #onIdle: (() => void) | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#bodies = new BodyBudget(options.bodyLimits)
    this.#router = new Router(options.routes.filter(({ isPage }) => !isPage))
    this.#pages = createPages({
      routes: options.routes.filter(({ isPage }) => isPage),
      answer: (page, exchange) => this.#enter(page, exchange),
      otherMethod: (allow, exchange) => this.#otherMethod(allow, exchange),
      nothingHere: (exchange) => this.#nothingHere(exchange),
      fail: (error, exchange) => this.fail(error, exchange),
    })
  }

  /** Listens to requests. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#underWay += 1
    const exchange = new HttpExchange(request, response, this)
    response.once('close', () => this.#ended(exchange))
    try {
      checkHead(request)
    } catch (error) {
      this.fail(error, exchange)
      return
    }
    const found = this.#router.find(request.method ?? '', request.url ?? '')
    if (found === undefined) this.#pages(exchange)
    else if (found.route) {
      exchange.params = found.params
      this.#enter(found.route, exchange)
    } else this.#otherMethod(found.allow, exchange)
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

  signalOf(response: ServerResponse): AbortSignal {
    return this.#waits.signalOf(response)
  }

  takeBytes(client: string, bytes: number): void {
    this.#bodies.take(client, bytes)
  }

  answered({ request, path, head, caller }: HttpExchange, status: number): void {
    const { log } = this.#options
    if (!log.isLevelEnabled('debug')) return
    const ids = { request_id: head.requestId, trace_id: head.trace.traceId, client: caller.client }
    log.debug({ method: request.method, path, status, ...ids }, 'request answered')
  }

  fail(error: unknown, { request, response, head, takesTasks }: HttpExchange): void {
    const { log } = this.#options
    const problem = problemOf(error)
    if (takesTasks) metrics.tasksRejected.inc({ reason: problem.slug })
    // Neither the query nor the problem's text, which may quote what the client has sent.
    const path = request.url?.split('?')[0]?.slice(0, 200)
    const fields = { request_id: head.requestId, trace_id: head.trace.traceId, path, problem: problem.slug }
    if (problem.slug === 'internal') log.error({ ...fields, error }, 'request failed')
    else log.debug(fields, 'request refused')
    sendProblem(response, problem, head)
  }

  #ended({ held, caller }: HttpExchange): void {
    if (held > 0) this.#bodies.giveBack(caller.client, held)
    this.#underWay -= 1
    if (this.#underWay === 0) this.#onIdle?.()
  }

  /** Finds out who calls, and hands the call to its route. */
  #enter(route: Route, exchange: HttpExchange): void {
    exchange.path = route.path
    exchange.takesTasks = route.takesTasks ?? false
    try {
      tracing.route(exchange.request.method ?? '', route.path)
      if (route.scopes.length === 0) {
        route.handle(exchange)
        return
      }
      const caller = this.#options.authenticate(exchange.request)
      if (caller instanceof Promise) {
        caller.then((known) => this.#enterAs(known, route, exchange)).catch((error) => this.fail(error, exchange))
      } else this.#enterAs(caller, route, exchange)
    } catch (error) {
      this.fail(error, exchange)
    }
  }

  #enterAs(caller: Caller, route: Route, exchange: HttpExchange): void {
    requireScope(caller, route.scopes)
    exchange.caller = caller
    route.handle(exchange)
  }

  #otherMethod(allow: string, exchange: HttpExchange): void {
    const { request, response, head } = exchange
    if (request.method === 'OPTIONS') void sendAnswer(response, { status: 204, headers: { allow } }, head)
    else {
      const what = `${request.method} is not one of ${allow}`
      this.fail(new Problem('method-not-allowed', what, { headers: { allow } }), exchange)
    }
  }

  #nothingHere(exchange: HttpExchange): void {
    const path = pathOf(exchange.request.url ?? '').slice(0, 200)
    this.fail(new Problem('not-found', `there is nothing at ${path}; see /docs`), exchange)
  }
}
