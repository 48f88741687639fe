/** The metrics port of every process: `/metrics` for Prometheus, `/health/live` and `/health/ready` for probes. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exposition } from './instruments.ts'
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

/**
 * Serves the registry, the process's own health, and the role's own pages by path. `ready` must not throw and should
 * answer within a second.
 */
export function createMetricsServer(
  host: string,
  port: number,
  ready: () => Promise<Readiness>,
  pages: ReadonlyMap<string, Page> = new Map(),
): MetricsServer {
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
      return (server?.address() as AddressInfo | null)?.port ?? port
    },
    async start() {
      if (server) return
      const made = createServer((request, response) => {
        answer(request.url ?? '/', request.headers.accept).then(
          ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
          () => response.writeHead(500).end(),
        )
      })
      await new Promise<void>((resolve, reject) => {
        made.once('error', reject)
        made.listen(port, host, () => resolve())
      })
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
