/**
 * The way of a request, and the only door of express: head, route, caller, scope, answer. Whatever is thrown on the way
 * becomes a problem+json answer, and every answer carries the request id. A route whose path is all text is looked up;
 * for all else express finds what it is, which took a third of the time of a request that does nothing else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { sendAnswer, sendProblem } from './answer.ts'
import { type Authenticate, requireScope } from './auth.ts'
import { checkHead, type Head, headOf } from './head.ts'
import { Problem } from './problem.ts'
import type { Route } from './route.ts'

export interface ApiOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  /** Tells whether an error means that the database is away: it is answered 503. */
  readonly isOutage: (error: unknown) => boolean
  readonly log: Log
}

export interface Api {
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Ends the waits of all calls under way, so that they answer now. */
  endWaits(): void
  /** Resolves when no call is under way and every answer is sent, or after `withinMs`. */
  idle(withinMs: number): Promise<void>
}

type Response = express.Response<unknown, { head: Head }>

/** A request whose route is found. */
interface Found {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly head: Head
  readonly params: Readonly<Record<string, string>>
}

/** Makes the request listener of all routes. It never throws, and no request ends without an answer. */
export function createApi({ routes, authenticate, isOutage, log }: ApiOptions): Api {
  const app = express()
  for (const setting of ['x-powered-by', 'etag', 'query parser']) app.disable(setting)
  app.enable('case sensitive routing')
  app.enable('strict routing')
  const waits = new Set<AbortController>()
  let isEnding = false
  let underWay = 0
  let onIdle: (() => void) | undefined

  /** Made when first asked for: most calls wait for nothing, and a signal with its listeners was 5 % of their time. */
  function waitOf(response: ServerResponse): AbortSignal {
    const wait = new AbortController()
    waits.add(wait)
    const end = (): void => {
      waits.delete(wait)
      wait.abort()
    }
    if (isEnding || response.closed) end()
    else response.once('close', end)
    return wait.signal
  }

  /** Reads the head. When it is not to be trusted the request is answered here, and there is none. */
  function begin(request: IncomingMessage, response: ServerResponse): Head | undefined {
    const head = headOf(request)
    try {
      checkHead(request)
      return head
    } catch (error) {
      fail(error, request, response, head)
      return undefined
    }
  }

  async function answer(one: Route, { request, response, head, params }: Found): Promise<void> {
    try {
      tracing?.route(request.method ?? '', one.path)
      const isPublic = one.scopes.length === 0
      const caller = isPublic ? { client: 'anonymous', scopes: [] } : await authenticate(request)
      if (!isPublic) requireScope(caller, one.scopes)
      const { requestId, trace } = head
      const made = await one.answer({
        request,
        get url() {
          return new URL(request.url ?? '/', 'http://here')
        },
        params,
        requestId,
        trace,
        receivedAt: head.receivedAt,
        caller,
        get signal() {
          return waitOf(response)
        },
        header(name) {
          const value = request.headers[name]
          return typeof value === 'string' ? value : undefined
        },
      })
      const { method } = request
      const ids = { request_id: requestId, trace_id: trace.traceId, client: caller.client }
      log.debug({ method, path: one.path, status: made.status, ...ids }, 'request answered')
      await sendAnswer(response, made, head)
    } catch (error) {
      const { slug } = fail(error, request, response, head)
      if (one.takesTasks) metrics.tasksRejected.inc({ reason: slug })
    }
  }

  function fail(error: unknown, request: IncomingMessage, response: ServerResponse, head: Head): Problem {
    const problem = problemOf(error, isOutage)
    // Neither the query nor the problem's text, which may quote what the client has sent.
    const path = request.url?.split('?')[0]?.slice(0, 200)
    const fields = { request_id: head.requestId, trace_id: head.trace.traceId, path, problem: problem.slug }
    if (problem.slug === 'internal') log.error({ ...fields, error }, 'request failed')
    else log.debug(fields, 'request refused')
    sendProblem(response, problem, head)
    return problem
  }

  app.use((request, response: Response, next) => {
    const head = begin(request, response)
    if (head === undefined) return
    response.locals.head = head
    next()
  })

  const byText = new Map<string, Route>()
  for (const [path, onPath] of Map.groupBy(routes, ({ path }) => path)) {
    const place = app.route(path.replaceAll(/\{(\w+)\}/g, ':$1'))
    for (const one of onPath) {
      if (!path.includes('{')) byText.set(`${one.method.toUpperCase()} ${path}`, one)
      place[one.method]((request, response: Response) => {
        const params = request.params as Record<string, string>
        void answer(one, { request, response, head: response.locals.head, params })
      })
    }
    const methods = onPath.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
    const allow = [...methods, 'OPTIONS'].join(', ')
    place.all((request, response: Response) => {
      if (request.method === 'OPTIONS') {
        return void sendAnswer(response, { status: 204, headers: { allow } }, response.locals.head)
      }
      const problem = new Problem('method-not-allowed', `${request.method} is not one of ${allow}`, {
        headers: { allow },
      })
      fail(problem, request, response, response.locals.head)
    })
  }

  app.use((request, response: Response) => {
    const problem = new Problem('not-found', `there is nothing at ${request.path.slice(0, 200)}; see /docs`)
    fail(problem, request, response, response.locals.head)
  })
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: express.Request, response: Response, _next: express.NextFunction) => {
    fail(error, request, response, response.locals.head)
  })

  return {
    handle(request, response) {
      underWay += 1
      response.once('close', () => {
        underWay -= 1
        if (underWay === 0) onIdle?.()
      })
      const one = byText.get(`${request.method} ${request.url}`)
      if (!one) return app(request, response)
      const head = begin(request, response)
      if (head) void answer(one, { request, response, head, params: {} })
    },
    async idle(withinMs) {
      if (underWay === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      onIdle = resolve
      const timer = setTimeout(resolve, withinMs)
      await promise
      clearTimeout(timer)
    },
    endWaits() {
      isEnding = true
      for (const wait of waits) wait.abort()
    },
  }
}

function problemOf(error: unknown, isOutage: (error: unknown) => boolean): Problem {
  if (error instanceof Problem) return error
  if (isOutage(error)) {
    return new Problem('unavailable', 'the database does not answer; repeat this after a while', {
      headers: { 'retry-after': '2' },
      cause: error,
    })
  }
  // What express throws of its own accord: a path that cannot be decoded.
  if (error instanceof URIError) return new Problem('malformed-request', 'the path cannot be decoded', { cause: error })
  return new Problem('internal', 'something of ours failed; the log has the cause under this request id', {
    cause: error,
  })
}
