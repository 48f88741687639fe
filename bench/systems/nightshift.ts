// Nightshift as its operators run it: the api and one consumer of src/main.ts, each a process, its own defaults but for
// the number of slots. The task is trial.echo.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ROOT, runCommand } from '../../scripts/demo/platform.ts'
import { accepts, freePort } from '../../scripts/servers/ports.ts'
import { postBatches } from '../load/batches.ts'
import { PAYLOAD } from '../load/payload.ts'
import { openOtlpSink } from '../otlp-sink.ts'
import { type Part, startPart } from '../processes.ts'
import { NO_NOTES, type WorkerNotes } from '../roles/notes.ts'
import type { Servers } from '../servers.ts'
import { freshDatabase, freshVhost, lookInto } from './fresh.ts'
import type { SystemName } from './names.ts'
import { countStatements, writeStatements } from './statements.ts'
import type { Session, System, Target } from './system.ts'

const MAIN = join(ROOT, 'src/main.ts')
const PROBE = fileURLToPath(new URL('../roles/probe.ts', import.meta.url))
const SLOTS = Number(process.env.BENCH_SLOTS ?? 1_000)
const PER_CALL = 500
const AT_ONCE = 4

const ENV = {
  NIGHTSHIFT_AUTH: 'off',
  NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
  NIGHTSHIFT_PACKS: 'trial',
  NIGHTSHIFT_QUEUES: `trial:${SLOTS}`,
  NIGHTSHIFT_LOG_LEVEL: 'warn',
  // The marks above which tasks are refused are out of reach: here the flood is wanted.
  NIGHTSHIFT_DEPTH_LOW: '9000000',
  NIGHTSHIFT_DEPTH_HIGH: '10000000',
}

const RECORDED = `
  select extract(epoch from pg_xact_commit_timestamp(f.xmin))::float8 * 1000 - (t.payload->>'due')::float8
    from nightshift.task t join nightshift.finished f on f.task_id = t.id where t.payload->>'due' is not null order by t.id`

/**
 * @param profileFolder where CPU profiles are written when the processes end
 * @param traced the share of requests that are traced, from 0 to 1; without it tracing is off
 */
export function createNightshift(name: SystemName, profileFolder: string | undefined, traced?: number): System {
  return { name, open: (servers) => openSession(servers, profileFolder, traced) }
}

export interface NightshiftSession extends Session {
  /** To fill its tables past it. */
  readonly databaseUrl: string
}

/** Opens Nightshift on an empty database and virtual host; its processes are started by the session. */
export async function openSession(
  servers: Servers,
  profileFolder?: string,
  traced?: number,
): Promise<NightshiftSession> {
  const sink = traced === undefined ? undefined : await openOtlpSink()
  const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
  const [postgres, rabbitmq] = await Promise.all([servers.postgres(), servers.rabbitmq()])
  const [database, vhost] = await Promise.all([freshDatabase(servers), freshVhost(servers)])
  const tracing = sink && traced !== undefined ? sink.envOf(traced) : {}
  const env = { ...ENV, ...tracing, DATABASE_URL: database.url, AMQP_URL: vhost.url }
  await runCommand(['migrate'], env)
  if (profileFolder !== undefined) await countStatements(database.url)
  const look = lookInto(database.url)
  let api: Part | undefined
  let consumer: Part | undefined
  let target: Target | undefined

  async function startFront(): Promise<Target> {
    const [port, metricsPort] = [await freePort(), await freePort()]
    const ports = { NIGHTSHIFT_HTTP_PORT: String(port), NIGHTSHIFT_METRICS_PORT: String(metricsPort) }
    const until = async (): Promise<boolean> => (await accepts(port)) && isReady(metricsPort)
    const own = { ...env, ...ports }
    api = await startPart({ name: 'api', script: MAIN, args: ['api'], env: own, execArgv: profile, until })
    target = { url: `http://127.0.0.1:${port}/api/v1/tasks`, bodyOf }
    return target
  }

  return {
    databaseUrl: database.url,
    startFront,
    async startWorker() {
      const metricsPort = await freePort()
      consumer = await startPart({
        name: 'consumer',
        script: MAIN,
        args: ['consumer'],
        env: { ...env, NIGHTSHIFT_METRICS_PORT: String(metricsPort) },
        execArgv: [...profile, '--import', PROBE],
        until: () => isReady(metricsPort),
      })
    },
    async bulk(count) {
      target ??= await startFront()
      const line = JSON.stringify(bodyOf(PAYLOAD))
      return postBatches({ url: `${target.url}/batch`, line, count, perCall: PER_CALL, atOnce: AT_ONCE })
    },
    async settled() {
      while ((await look.count('select count(*) from nightshift.outbox')) > 0) await sleep(100)
    },
    accepted: () => look.count('select count(*) from nightshift.task'),
    left: () => look.count('select count(*) from nightshift.unfinished'),
    done: () => look.count(`select count(*) from nightshift.finished where status = 'SUCCESS'`),
    notes: async () => consumer?.ask<WorkerNotes>('report', 'report') ?? NO_NOTES,
    recordedMs: () => look.numbers(RECORDED),
    processes: () => ({
      front: api ? [api.pid] : [],
      worker: consumer ? [consumer.pid] : [],
      postgres: [postgres.pid],
      rabbitmq: [rabbitmq.pid],
    }),
    async close() {
      await Promise.all([api?.stop(), consumer?.stop()])
      await Promise.all([look.close(), sink?.close()])
      if (profileFolder !== undefined) await writeStatements(database.url, profileFolder)
      await Promise.all([database.drop(), vhost.drop()])
    },
  }
}

function bodyOf(payload: object): object {
  return { name: 'trial.echo', payload }
}

async function isReady(metricsPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${metricsPort}/health/ready`)).ok
  } catch {
    return false
  }
}
