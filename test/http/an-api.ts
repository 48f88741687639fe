// An API on a free port for one test: the real server and the real routes, on whatever commits and database it is given.
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { withDocs } from '../../src/api-docs/docs.ts'
import type { Caller } from '../../src/core/caller.ts'
import type { NewTask } from '../../src/core/new-task.ts'
import { type Contracts, keyedTasksOf } from '../../src/core/task-types.ts'
import type { Admission } from '../../src/gateway/admit.ts'
import type { Commits } from '../../src/gateway/commit.ts'
import type { AcceptMode, Waits } from '../../src/gateway/intake.ts'
import { createGatewayRoutes } from '../../src/gateway/routes.ts'
import type { Route } from '../../src/http/route.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import { createLog } from '../../src/runtime/log.ts'
import { createStatusRoutes } from '../../src/status/routes.ts'
import { createTaskReader } from '../../src/status/task-routes.ts'
import { createWaiter, type Waiter } from '../../src/status/waiter.ts'
import type { Db } from '../../src/store/db.ts'
import type { Accepted } from '../../src/store/moves/accept.ts'
import { finishedAmong } from '../../src/store/reads/tasks.ts'
import { createRequestRoutes } from '../../src/why/request-routes.ts'
import { PACKS } from '../support/packs.ts'

export interface ApiOptions {
  readonly commits?: Commits
  readonly db?: Db
  /** Keys and whose they are; without them, authentication is off. */
  readonly callers?: Readonly<Record<string, Caller>>
  readonly findCaller?: (key: string) => Promise<Caller | undefined>
  readonly contracts?: Contracts
  readonly newId?: () => string
  /** A door that decides about each task; without it, one that is always open. */
  readonly admit?: Admission['admit']
  readonly isCalm?: Admission['isCalm']
  readonly repeatsAmong?: (tasks: readonly NewTask[]) => Promise<ReadonlySet<string>>
  readonly acceptMode?: AcceptMode
  readonly waits?: Partial<Waits>
  readonly broker?: () => { connected: boolean; detail: string }
  readonly extraRoutes?: readonly Route[]
  readonly limits?: HttpServerOptions['limits']
  readonly bodyLimits?: HttpServerOptions['bodyLimits']
}

export interface AnApi {
  readonly url: string
  readonly routes: readonly Route[]
  readonly server: HttpServer
  readonly waiter: Waiter
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** Sends bytes as they are and gives everything that comes back until the connection ends. */
  raw(bytes: string, withinMs?: number): Promise<string>
}

/** A door that is always open. */
const openDoor: Admission['admit'] = ({ queue }) => ({
  isAdmitted: true,
  standing: { queue, backlog: 0, limit: 10_000, sharePerSecond: 100, left: 300, startsInSeconds: 0 },
})

/** Starts the API; it is stopped when the test ends. */
export async function anApi(options: ApiOptions = {}): Promise<AnApi> {
  const db = options.db ?? awayDb
  const contracts = options.contracts ?? PACKS.contracts
  const waiter = createWaiter({ finishedAmong: (ids) => finishedAmong(db, ids) })
  const estimate = { startsInSeconds: () => undefined }
  const reader = createTaskReader({ db, resultTtlMs: 3_600_000, estimate, waiter })
  const rules = {
    contracts,
    queues: new Set(['conversations', 'trial']),
    newId: options.newId ?? randomUUID,
    taskRetentionMs: 30 * 86_400_000,
  }
  const {
    admit = openDoor,
    acceptMode = 'durable',
    commits = fakeCommits(),
    broker = () => ({ connected: true, detail: 'connected' }),
  } = options
  const packRoutes = PACKS.routes.filter(({ task }) => contracts.has(task))
  const keyedTasks = keyedTasksOf(contracts)
  const isOpen = options.callers === undefined && options.findCaller === undefined
  const routes = withDocs(
    [
      ...createGatewayRoutes({
        db,
        commits,
        rules,
        packRoutes,
        acceptMode,
        repeatsAmong: options.repeatsAmong ?? (async () => new Set()),
        admission: { admit, isCalm: options.isCalm ?? (() => options.admit === undefined) },
        reader,
        ...(options.waits ? { waits: options.waits } : {}),
      }),
      ...createStatusRoutes({
        db,
        schemas: PACKS.schemas,
        resultTtlMs: 3_600_000,
        reader,
        broker,
      }),
      ...createRequestRoutes({ db, resultTtlMs: 3_600_000, keyedTasks }),
      ...(options.extraRoutes ?? []),
    ],
    contracts,
    { version: '1.2.3', isAuthOn: !isOpen },
  )
  const server = createHttpServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: isOpen ? 'off' : 'on' },
    log: createLog('silent', 'test'),
    findCaller: options.findCaller ?? (async (key) => options.callers?.[key]),
    routes,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.bodyLimits === undefined ? {} : { bodyLimits: options.bodyLimits }),
  })
  await waiter.start()
  await server.start()
  onTestFinished(async () => {
    await server.stop()
    await waiter.stop()
  })
  const { port } = server
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    routes,
    server,
    waiter,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    get: (path, headers = {}) => fetch(`${url}${path}`, { headers }),
    raw: (bytes, withinMs = 3_000) => raw(port, bytes, withinMs),
  }
}

/** What was accepted, its payload read. */
type Remembered = Omit<NewTask, 'payload'> & { readonly payload: unknown }

export interface FakeCommits extends Commits {
  readonly tasks: Remembered[]
  /** How many tasks came together, commit by commit. */
  readonly sizes: number[]
}

/** Accepts everything and remembers it; knows keys as the database does. */
export function fakeCommits(): FakeCommits {
  const tasks: Remembered[] = []
  const sizes: number[] = []
  const one = (task: NewTask): Accepted => {
    for (const { key, hash } of task.keys) {
      const known = tasks.find(({ client, keys }) => client === task.client && keys.some((each) => each.key === key))
      if (!known) continue
      if (known.keys.find((each) => each.key === key)?.hash !== hash) return { kind: 'key_reused', key }
      const { id, requestId, traceId } = known
      return { kind: 'replayed', id, requestId, traceId, status: 'PENDING', isConfirmed: false }
    }
    tasks.push({ ...task, payload: JSON.parse(task.payload) })
    return { kind: 'accepted', id: task.id, outboxId: String(tasks.length), isDue: true }
  }
  return {
    tasks,
    sizes,
    async commit(given) {
      sizes.push(given.length)
      return { outcomes: given.map(one), confirmed: Promise.resolve(given.map(() => false)) }
    },
  }
}

/** A database that refuses connections. */
const awayDb: Db = {
  query: async () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  },
  transaction: async () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  },
  close: async () => undefined,
}

function raw(port: number, bytes: string, withinMs: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    let answer = ''
    const timer = setTimeout(() => socket.destroy(), withinMs)
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}

/** Sends a request whose headers `fetch` would refuse or change. */
export function plainRequest(
  url: string,
  headers: Record<string, string | string[]>,
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    sent.once('error', reject)
    sent.end()
  })
}
