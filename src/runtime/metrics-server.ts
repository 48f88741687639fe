/** The metrics port of every process: `/metrics` for Prometheus, `/health/live` and `/health/ready` for probes. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exposition } from './instruments.ts'
import { listen, listenOrMove } from './listen.ts'
import type { Log } from './log.ts'
import type { Service } from './service.ts'

export interface Readiness {
  readonly ready: boolean
  /** One entry per thing that was checked, with a sentence when it is bad. */
  readonly checks: Readonly<Record<string, string>>
  /** What else is amiss; it does not make the process less ready. */
  readonly findings?: readonly { readonly check: string; readonly level: string; readonly what: string }[]
}

export interface MetricsServer extends Service {
  /** The port in use, once started. */
  readonly port: number
}

export interface PageAnswer {
  readonly status: number
  /** The content type. */
  readonly type: string
  readonly body: string
}

/** Answers one path of the metrics port; must not throw. */
export type Page = (query: URLSearchParams) => Promise<PageAnswer>

export interface MetricsServerOptions {
  readonly host: string
  /** Undefined for the usual one, or a free one when that is taken. */
  readonly port: number | undefined
  /** Must not throw, and should answer within a second. */
  readonly ready: () => Promise<Readiness>
  /** The role's own pages, by path. */
  readonly pages?: ReadonlyMap<string, Page> | undefined
  readonly log: Log
}

const USUAL_PORT = 9_090

/** Serves the registry, the process's own health, and the role's own pages. */
export function createMetricsServer(options: MetricsServerOptions): MetricsServer {
  const { host, port, ready, pages = new Map<string, Page>(), log } = options
  let server: Server | undefined

  async function answer(target: string, accept: string | undefined): Promise<PageAnswer> {
    const url = URL.parse(target, 'http://here')
    if (!url) return { status: 400, type: 'text/plain', body: 'the request target is not a path\n' }
    const path = url.pathname
    const page = pages.get(path)
    if (page) return page(url.searchParams)
    if (path === '/metrics') return { status: 200, ...(await exposition(accept)) }
    if (path === '/health/live') return { status: 200, type: 'application/json', body: '{"live":true}' }
    if (path === '/health/ready') {
      const readiness = await ready()
      return { status: readiness.ready ? 200 : 503, type: 'application/json', body: JSON.stringify(readiness) }
    }
    const here = ['/metrics', '/health/live', '/health/ready', ...pages.keys()]
    return { status: 404, type: 'text/plain', body: `here are ${here.join(', ')}\n` }
  }

  return {
    name: 'metrics server',
    get port() {
      return (server?.address() as AddressInfo | null)?.port ?? port ?? USUAL_PORT
    },
    async start() {
      if (server) return
      const made = createServer((request, response) => {
        answer(request.url ?? '/', request.headers.accept).then(
          ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
          () => response.writeHead(500).end(),
        )
      })
      const place = { host, port: port ?? USUAL_PORT, setting: 'NIGHTSHIFT_METRICS_PORT' }
      if (port !== undefined) await listen(made, place)
      else if (await listenOrMove(made, place)) {
        log.warn({ taken: USUAL_PORT }, 'the usual metrics port is taken, another is used: see the line ready')
      }
      server = made
    },
    async stop() {
      const closing = server
      server = undefined
      if (!closing) return
      closing.closeAllConnections()
      await new Promise((resolve) => closing.close(resolve))
    },
  }
}
