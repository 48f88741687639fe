/**
 * The API's server as a service: limits on how slowly and how much a client may send, problems for what is not HTTP,
 * and a stop that lets requests in flight finish.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { listen } from '../runtime/listen.ts'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'
import { pause } from '../runtime/wait.ts'
import { SECURITY_HEADERS } from './answer.ts'
import { authenticateByKey, authenticateNobody, type FindCaller } from './auth.ts'
import type { BodyLimits } from './body-budget.ts'
import { Dispatcher } from './dispatcher.ts'
import { Problem, type ProblemSlug, problemBody } from './problem.ts'
import type { Route } from './route.ts'

/**
 * `connectionsCheckingInterval` is what makes the others hold: with Node's 30 s a socket outlived `headersTimeout: 5000`
 * by 20 s. `keepAliveTimeout` is longer than the 60 s after which common load balancers let go of an idle connection.
 */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
  // `checkHead` requires it, because what Node answers here has no body and no request id.
  requireHostHeader: false,
} as const

/** An idle connection costs some 10 KiB; one more than these is closed at once, as a process without descriptors would. */
const MOST_CONNECTIONS = 20_000

/** How long `stop` lets requests in flight finish; then their connections are closed, however slowly they still send. */
const LONGEST_FINISH_MS = 10_000

export interface HttpServerOptions {
  readonly config: { readonly httpHost: string; readonly httpPort: number; readonly auth: 'on' | 'off' }
  readonly log: Log
  readonly findCaller: FindCaller
  readonly routes: readonly Route[]
  /** How long a stopping server goes on answering, telling clients to connect elsewhere; default 0. */
  readonly lingerMs?: number
  /** In place of LIMITS, for tests that reach them. */
  readonly limits?: Partial<Record<'headersTimeout' | 'connectionsCheckingInterval', number>>
  /** In place of BODY_LIMITS, for tests that reach them. */
  readonly bodyLimits?: BodyLimits
}

export interface HttpServer extends Service {
  /** The port in use, once started. */
  readonly port: number
}

/** Makes the server; it listens once started. `stop` answers what is in flight, within 10 s, and closes every connection. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, log, findCaller, routes, lingerMs = 0, limits, bodyLimits } = options
  const authenticate = config.auth === 'off' ? authenticateNobody : authenticateByKey(findCaller)
  const dispatcher = new Dispatcher({ routes, authenticate, log, bodyLimits })
  let server: Server | undefined
  const lastAnswer = new WeakMap<Duplex, ServerResponse>()

  function make(): Server {
    const made = createServer({ ...LIMITS, ...limits }, (request, response) => {
      if (server !== made) response.setHeader('connection', 'close')
      lastAnswer.set(request.socket, response)
      dispatcher.handle(request, response)
    })
    made.maxHeadersCount = 100
    made.maxConnections = MOST_CONNECTIONS
    made.on('checkExpectation', (request, response) => dispatcher.handle(request, response))
    made.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      log.debug({ code: error.code }, 'a connection did not speak HTTP')
      const last = lastAnswer.get(socket)
      if (last && !last.headersSent && last.req.complete) endAfter(last, socket)
      else if (isLastOf(last)) last.writableEnded ? socket.end() : socket.destroy()
      else refuseRaw(error.code, socket)
    })
    return made
  }

  return {
    name: 'http server',
    get port() {
      return (server?.address() as AddressInfo | null)?.port ?? config.httpPort
    },
    async start() {
      if (server) return
      if (config.auth === 'off') log.warn({}, 'authentication is off: everybody may do everything')
      const made = make()
      await listen(made, { host: config.httpHost, port: config.httpPort, setting: 'NIGHTSHIFT_HTTP_PORT' })
      server = made
      log.info({ host: config.httpHost, port: this.port }, 'the api listens')
    },
    async stop() {
      const closing = server
      server = undefined
      if (!closing) return
      // Answers now say `Connection: close`; clients that heed it leave before their idle connections are cut.
      await pause(lingerMs)
      const closed = new Promise((resolve) => closing.close(resolve))
      dispatcher.endWaits()
      await dispatcher.idle(LONGEST_FINISH_MS)
      // What is left is idle, or sends what nobody reads any more; close() has also ended the check of the time limits.
      closing.closeAllConnections()
      await closed
    },
  }
}

/** What follows a whole request is not HTTP: the request is answered, because it may take effect, and then all ends. */
function endAfter(answer: ServerResponse, socket: Duplex): void {
  answer.setHeader('connection', 'close')
  answer.once('close', () => socket.destroy())
}

/** After a last answer nothing may follow: the client would take it for the answer to something else. */
function isLastOf(answer: ServerResponse | undefined): answer is ServerResponse {
  if (!answer?.headersSent) return false
  return !answer.writableEnded || answer.getHeader('connection') === 'close'
}

const RAW_PROBLEMS: Readonly<Record<string, ProblemSlug>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
}

/** Answers bytes that never became a request. */
function refuseRaw(code: string | undefined, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = new Problem(
    RAW_PROBLEMS[code ?? ''] ?? 'malformed-request',
    'what arrived is not a valid HTTP request',
  )
  const requestId = randomUUID()
  const body = JSON.stringify(problemBody(problem, { requestId, traceId: randomBytes(16).toString('hex') }))
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${problem.status} Refused\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}
