// Celery, which is Python: a Flask front under gunicorn (one process, 16 threads) and one worker of two processes.
// See bench/peers/celery. Results are kept in Redis (append-only, synced always) or in PostgreSQL.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../scripts/servers/ports.ts'
import { type ServerProcess, startServerProcess } from '../../scripts/servers/server-process.ts'
import { PAYLOAD } from '../load/payload.ts'
import { LOGS } from '../processes.ts'
import type { Servers } from '../servers.ts'
import { freshDatabase, freshVhost, lookInto } from './fresh.ts'
import type { Session, System } from './system.ts'

const FOLDER = fileURLToPath(new URL('../peers/celery', import.meta.url))
/** Debian's own Python: its packages are nowhere else. */
const PYTHON = '/usr/bin/python3'

export function createCelery(name: 'celery-redis' | 'celery-db'): System {
  return { name, open: (servers) => openSession(name, servers) }
}

interface Results {
  readonly url: string
  readonly pid: number
  count(): Promise<number>
  drop(): Promise<void>
}

async function resultsIn(name: string, servers: Servers): Promise<Results> {
  if (name === 'celery-redis') {
    const redis = await servers.redis('always')
    await redis.flush()
    return { url: redis.url, pid: redis.pid, count: redis.size, drop: redis.flush }
  }
  const database = await freshDatabase(servers)
  const look = lookInto(database.url)
  const { pid } = await servers.postgres()
  return {
    url: database.url.replace('postgres://', 'db+postgresql+psycopg2://'),
    pid,
    async count() {
      // Celery makes its table with the first result.
      const made = await look.count(`select count(*) from pg_tables where tablename = 'celery_taskmeta'`)
      return made === 0 ? 0 : look.count(`select count(*) from celery_taskmeta where status = 'SUCCESS'`)
    },
    async drop() {
      await look.close()
      await database.drop()
    },
  }
}

async function openSession(name: string, servers: Servers): Promise<Session> {
  const [vhost, results, { pid }] = await Promise.all([
    freshVhost(servers),
    resultsIn(name, servers),
    servers.rabbitmq(),
  ])
  mkdirSync(LOGS, { recursive: true })
  const notes = mkdtempSync(join(LOGS, `${name}-`))
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: notes,
    PYTHONDONTWRITEBYTECODE: '1',
    AMQP_URL: vhost.url,
    RESULT_URL: results.url,
    BENCH_NOTES: notes,
  }
  const started: (ServerProcess & { readonly name: string })[] = []
  let origin = ''

  async function start(part: string, args: readonly string[], ready: () => Promise<boolean>): Promise<void> {
    const logFile = join(LOGS, `${name}-${part}.log`)
    const program = { name: part, command: PYTHON, env, logFile, cwd: FOLDER, lastSignal: 'SIGKILL' } as const
    const process = await startServerProcess({ ...program, args: ['-m', ...args] })
    started.push({ ...process, name: part })
    await process.ready(ready)
  }
  async function startFront(): Promise<string> {
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    const threads = ['--workers', '1', '--worker-class', 'gthread', '--threads', '16', '--keep-alive', '65']
    const args = ['gunicorn', '--bind', `127.0.0.1:${port}`, ...threads, 'front:server']
    await start('front', args, () => acceptedAt(origin).then(Number.isInteger, () => false))
    return origin
  }
  const accepted = async (): Promise<number> => (origin === '' ? 0 : acceptedAt(origin))
  const done = results.count

  return {
    async startFront() {
      return { url: `${await startFront()}/tasks`, bodyOf: (payload) => payload }
    },
    async startWorker() {
      const quiet = ['--without-gossip', '--without-mingle', '--without-heartbeat', '--loglevel', 'warning']
      const args = ['celery', '-A', 'app', 'worker', '--pool', 'prefork', '--concurrency', '2', ...quiet]
      await start('worker', args, async () => existsSync(join(notes, 'ready')))
    },
    async bulk(count) {
      if (origin === '') await startFront()
      const begun = performance.now()
      const body = JSON.stringify(PAYLOAD)
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${origin}/fill/${count}`, { method: 'POST', headers, body })
      if (!response.ok) throw new Error(`the front of Celery answered ${response.status}`)
      return (performance.now() - begun) / 1_000
    },
    settled: async () => undefined,
    accepted,
    left: async () => (await accepted()) - (await done()),
    done,
    async notes() {
      const file = join(notes, 'first-start')
      const firstStartAt = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
      return { handled: await done(), firstStartAt, startMs: [] }
    },
    recordedMs: async () => undefined,
    processes: () => ({
      ...Object.fromEntries(started.map((process) => [process.name, [process.pid]])),
      rabbitmq: [pid],
      [name === 'celery-redis' ? 'redis' : 'postgres']: [results.pid],
    }),
    async close() {
      await Promise.all(started.map((process) => process.end('SIGTERM', 10_000)))
      await Promise.all([vhost.drop(), results.drop()])
      rmSync(notes, { recursive: true, force: true })
    },
  }
}

async function acceptedAt(origin: string): Promise<number> {
  const response = await fetch(`${origin}/accepted`)
  return ((await response.json()) as { accepted: number }).accepted
}
