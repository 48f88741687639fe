/**
 * A whole Nightshift for one test: its own database and virtual host, real api and consumer processes, a client that
 * speaks HTTP, and SQL to check what really happened.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterEach, beforeEach } from 'vitest'
import { aVhost } from './broker.ts'
import { aDatabase, sqlUrl } from './database.ts'
import { failOnLeftovers, type RunningProcess, startProcess } from './processes.ts'
import { until } from './until.ts'

export interface Submitted {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the answers of every call, looked into by the tests
  readonly body: any
}

export interface ApiProcess extends RunningProcess {
  /** `http://127.0.0.1:<port>`, once ready. */
  readonly url: string
  readonly metricsUrl: string
}

export interface Nightshift {
  readonly databaseUrl: string
  readonly amqpUrl: string
  /** The environment that every process gets; change it before starting one. */
  readonly env: Record<string, string>
  /** Starts an api and waits until it is ready. */
  startApi(env?: Record<string, string>): Promise<ApiProcess>
  /** Starts a consumer and waits until it has subscribed (`subscribed: false`: until its services run). */
  startConsumer(env?: Record<string, string>, options?: { subscribed?: boolean }): Promise<RunningProcess>
  /** Runs `nightshift <words>` and returns what it printed; rejects when it fails. */
  command(...words: string[]): Promise<string>
  /** Runs one SQL statement past Nightshift. */
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
  /** Waits until no task is unfinished. */
  untilAllFinished(options?: { withinMs?: number }): Promise<void>
  /** Counts finished tasks by status. */
  outcomes(): Promise<Record<string, number>>
  /** Ends every process with SIGKILL and drops the database and the virtual host. */
  remove(): Promise<void>
}

/** Short times, so that a lease runs out and a loss is found within seconds. */
const ENV = {
  NIGHTSHIFT_AUTH: 'off',
  NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
  NIGHTSHIFT_HTTP_PORT: '0',
  NIGHTSHIFT_METRICS_PORT: '0',
  NIGHTSHIFT_PACKS: 'conversation,trial',
  NIGHTSHIFT_QUEUES: 'conversations:10,trial:10',
  NIGHTSHIFT_RETRY_LADDER: '1s,2s',
  NIGHTSHIFT_LEASE_SECONDS: '3',
  NIGHTSHIFT_AUDIT_QUIET_SECONDS: '3',
  NIGHTSHIFT_DRAIN_GRACE_SECONDS: '5',
  // Tests that pile up tasks are not about the door; those that are set their own marks.
  NIGHTSHIFT_DEPTH_LOW: '9000000',
  NIGHTSHIFT_DEPTH_HIGH: '10000000',
}

export interface NightshiftOptions {
  /** Another PostgreSQL or RabbitMQ than the shared ones (servers to stop), or a proxy in front of one. */
  readonly databaseUrl?: string
  readonly amqpUrl?: string
  readonly env?: Record<string, string>
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/**
 * Gives every test of the file a Nightshift of its own, and fails a test that leaves a process running. What is returned
 * stands for the one of the test that runs.
 *
 * @param options a function is called before each test, and starts what this Nightshift runs on: proxies, servers. What it
 *   started is stopped by an `afterEach` above this call, which comes after the Nightshift is removed
 */
export function withNightshift(options: NightshiftOptions | (() => Promise<NightshiftOptions>) = {}): Nightshift {
  let current: Nightshift | undefined
  failOnLeftovers()
  beforeEach(async () => {
    current = await aNightshift(typeof options === 'function' ? await options() : options)
  })
  afterEach(async () => {
    await current?.remove()
    current = undefined
  })
  return new Proxy({} as Nightshift, {
    get(_, name) {
      if (!current) throw new Error(`${String(name)} of Nightshift was asked for outside a test`)
      return Reflect.get(current, name)
    },
  })
}

export async function aNightshift(options: NightshiftOptions = {}): Promise<Nightshift> {
  const database = options.databaseUrl === undefined ? await aDatabase() : undefined
  const vhost = options.amqpUrl === undefined ? await aVhost() : undefined
  const databaseUrl = options.databaseUrl ?? (database?.url as string)
  const amqpUrl = options.amqpUrl ?? (vhost?.url as string)
  const processes: RunningProcess[] = []
  const pool = new pg.Pool({ connectionString: sqlUrl(databaseUrl), max: 3 })
  pool.on('error', () => undefined)
  const env: Record<string, string> = { ...ENV, DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, ...options.env }

  const sql: Nightshift['sql'] = async (text, values = []) => (await pool.query(text, values)).rows

  return {
    databaseUrl,
    amqpUrl,
    env,
    sql,
    async startApi(more = {}) {
      const started = startProcess('api', { ...env, ...more })
      processes.push(started)
      const { httpPort, metricsPort } = await started.ready
      return Object.assign(started, {
        url: `http://127.0.0.1:${httpPort}`,
        metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
      })
    },
    async startConsumer(more = {}, { subscribed = true } = {}) {
      const name = `consumer-${processes.length}`
      const started = startProcess('consumer', { NIGHTSHIFT_CONSUMER_NAME: name, ...env, ...more })
      processes.push(started)
      await started.ready
      if (subscribed) await started.waitForLog((line) => line.msg === 'subscribed')
      return started
    },
    async command(...words) {
      const own = { PATH: process.env.PATH, DATABASE_URL: databaseUrl, NIGHTSHIFT_PACKS: env.NIGHTSHIFT_PACKS }
      return (await promisify(execFile)(process.execPath, [MAIN, ...words], { env: own })).stdout
    },
    async untilAllFinished({ withinMs = 60_000 } = {}) {
      await until(
        'all tasks to finish',
        async () => {
          const rows = await sql<{ left: number }>('select count(*)::int as left from unfinished')
          return rows[0]?.left === 0
        },
        { withinMs, everyMs: 100 },
      )
    },
    async outcomes() {
      const rows = await sql<{ status: string; tasks: number }>(
        'select status, count(*)::int as tasks from finished group by status',
      )
      return Object.fromEntries(rows.map(({ status, tasks }) => [status, tasks]))
    },
    async remove() {
      await Promise.all(
        processes.map(async (each) => {
          each.kill('SIGCONT')
          each.kill('SIGKILL')
          await each.exit
        }),
      )
      await pool.end()
      await vhost?.drop()
      await database?.drop()
    },
  }
}

/** Sends one request; the body is JSON. */
export async function call(
  api: { readonly url: string },
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Submitted> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

/** Submits one task and returns its id; throws when the answer is not 202. */
export async function submit(
  api: { readonly url: string },
  task: { name: string; payload: unknown; [field: string]: unknown },
  headers: Record<string, string> = {},
): Promise<string> {
  const { status, body } = await call(api, 'POST', '/api/v1/tasks', task, headers)
  if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`)
  return body.id
}

/** Submits many tasks, some at a time, and returns their ids in order. */
export async function submitAll(
  api: { readonly url: string },
  tasks: readonly { name: string; payload: unknown; [field: string]: unknown }[],
  inFlight = 32,
): Promise<string[]> {
  const ids: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < tasks.length; index = next++) {
      ids[index] = await submit(api, tasks[index] as (typeof tasks)[number])
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return ids
}

/** Waits until a task is finished and returns it as the API shows it. */
export async function finished(
  api: { readonly url: string },
  id: string,
  withinMs = 30_000,
  headers: Record<string, string> = {},
): Promise<Submitted['body']> {
  return until(
    `task ${id} to finish`,
    async () => {
      const { body } = await call(api, 'GET', `/api/v1/tasks/${id}`, undefined, headers)
      return ['SUCCESS', 'FAILED', 'CANCELLED'].includes(body.status) && body
    },
    { withinMs, everyMs: 50 },
  )
}

/** Reads one metric of a process, summed over the series whose labels include these; 0 when there is none. */
export async function metric(metricsUrl: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(metricsUrl)).text()
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
