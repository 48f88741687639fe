// Proves that the built images work: both run as containers on a real PostgreSQL and RabbitMQ, and do what they are for.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../servers/ports.ts'
import { provideServers } from '../servers/servers.ts'
import type { BuiltImage } from './build.ts'
import { STATE } from './buildah.ts'
import { BUNDLES, type Container, type Image, openImage } from './container.ts'

type Log = (line: string) => void

const DRAIN_GRACE_SECONDS = 6
const UID = 10_001
const SERVERS = join(STATE, 'servers')

/** Runs the whole smoke test. @throws Error that names the check that failed, with the containers' last words */
export async function smoke(built: readonly BuiltImage[], commit: string, log: Log): Promise<void> {
  const [api, consumer] = built as [BuiltImage, BuiltImage]
  demand('the images share every layer', String(api.layers) === String(consumer.layers), consumer.layers)
  // What an interrupted run left; a RabbitMQ that was killed may wait on its old data for a leader that never comes.
  for (const folder of [SERVERS, BUNDLES]) rmSync(folder, { recursive: true, force: true })
  const servers = await provideServers({ folder: SERVERS, log })
  const images: Image[] = []
  try {
    for (const { name } of built) images.push(await openImage(name))
    const env = { DATABASE_URL: servers.databaseUrl, AMQP_URL: servers.amqpUrl }
    await story({ api: images[0] as Image, consumer: images[1] as Image, env, commit, log })
  } finally {
    for (const image of images) await image.close()
    await servers.stop()
  }
}

interface Story {
  readonly api: Image
  readonly consumer: Image
  readonly env: Readonly<Record<string, string>>
  readonly commit: string
  readonly log: Log
}

async function story({ api, consumer, env, commit, log }: Story): Promise<void> {
  const containers: Container[] = []
  const start = async (image: Image, name: string, more: Record<string, string> = {}, words?: readonly string[]) => {
    const started = await image.start(name, { ...env, ...more }, words)
    containers.push(started)
    return started
  }
  const command = async (image: Image, ...words: string[]): Promise<string> => {
    const started = await start(image, `${words[0]?.replaceAll('-', '')}-${containers.length}`, {}, words)
    demand(`\`nightshift ${words.join(' ')}\` ends with 0`, (await started.ended) === 0, started.output())
    return started.output()
  }
  const [httpPort, apiMetrics, consumerMetrics] = (await freePorts(3)) as [number, number, number]

  try {
    for (const image of [api, consumer]) {
      demand('the user is fixed and not root', image.config.User === `${UID}:${UID}`, image.config.User)
      const revision = image.config.Labels['org.opencontainers.image.revision']
      demand('a label has the commit', revision === commit, image.config.Labels)
      const version = await command(image, '--version')
      demand('--version tells version and commit', version.includes(commit), version)
      log(`ok  ${image.config.Labels['org.opencontainers.image.title']}: ${version.trim()}`)
    }
    const migrated = await command(api, 'migrate')
    log(`ok  migrate: ${migrated.trim().split('\n').at(-1)}`)
    const key = (await command(api, 'key', 'create', '--client', 'smoke', '--scopes', 'submit,read,operate')).trim()

    const shared = { NIGHTSHIFT_HTTP_HOST: '127.0.0.1', NIGHTSHIFT_PACKS: 'conversation,trial' }
    const ports = { NIGHTSHIFT_HTTP_PORT: String(httpPort), NIGHTSHIFT_METRICS_PORT: String(apiMetrics) }
    const gateway = await start(api, 'api', { ...shared, ...ports })
    await until(gateway, 'the api to be ready', async () => (await get(httpPort, '/health/ready')).ok)
    log('ok  api: ready')

    const worker = await start(consumer, 'consumer', {
      ...shared,
      NIGHTSHIFT_METRICS_PORT: String(consumerMetrics),
      NIGHTSHIFT_QUEUES: 'trial:5',
      NIGHTSHIFT_DRAIN_GRACE_SECONDS: String(DRAIN_GRACE_SECONDS),
    })
    await until(worker, 'the consumer to be ready', async () => (await get(consumerMetrics, '/health/ready')).ok)
    log('ok  consumer: ready')

    for (const [container, port] of [[gateway, apiMetrics] as const, [worker, consumerMetrics] as const]) {
      await checkInside(container)
      const series = (await (await get(port, '/metrics')).text()).match(/^nightshift_build_info\{.*$/m)?.[0] ?? ''
      demand('the metrics tell the build', series.includes(`commit="${commit}"`), series)
      log(`ok  ${container.name}: ${series}`)
    }

    const client = clientOf(httpPort, key)
    const echo = await client.submit('trial.echo', { hello: 'night' })
    await until(worker, 'the task to succeed', async () => (await client.read(echo)).status === 'SUCCESS')
    log('ok  a task went from the api container through the consumer container to SUCCESS')

    const short = await client.submit('trial.sleep', { ms: 3_000 })
    const long = await client.submit('trial.sleep', { ms: 600_000 })
    for (const id of [short, long]) {
      await until(worker, 'both tasks to run', async () => (await client.read(id)).status === 'RUNNING')
    }
    await worker.terminate()
    demand('the consumer ends with 0 after SIGTERM', (await worker.ended) === 0, worker.output())
    const [finished, handedBack] = [await client.read(short), await client.read(long)]
    demand('the short task finished while draining', finished.status === 'SUCCESS', finished)
    const isFree = handedBack.status === 'PENDING' && handedBack.failures === 0 && handedBack.crashes === 0
    demand('the long task is handed back, uncharged', isFree, handedBack)
    log('ok  SIGTERM to process 1 of the consumer: one task finished, one handed back uncharged, exit 0')
    await client.cancel(long)

    await gateway.terminate()
    demand('the api ends with 0 after SIGTERM', (await gateway.ended) === 0, gateway.output())
    log('ok  SIGTERM to process 1 of the api: exit 0')
  } catch (error) {
    const words = containers
      .slice(-3)
      .map((each) => `--- ${each.name}\n${each.output().split('\n').slice(-15).join('\n')}`)
    throw new Error(`${(error as Error).message}\n${words.join('\n')}`, { cause: error })
  }
}

/** Looks into a running container: who is process 1, what can be written, what tools are left. */
async function checkInside(container: Container): Promise<void> {
  const first = (await container.exec('cat', '/proc/1/cmdline')).replaceAll('\0', ' ').trim()
  demand('process 1 is node', /^node \/nightshift\/src\/main\.ts (api|consumer)$/.test(first), first)
  const status = await container.exec('cat', '/proc/1/status')
  const hasRights = !/^Uid:\s+10001\s+10001\s/m.test(status) || !/^CapEff:\s+0+$/m.test(status)
  demand('process 1 has the fixed uid and no capability', !hasRights, status)
  // Folders that it may not even read make `find` complain and end with 1.
  const find = (test: string) => container.exec('sh', '-c', `find / -xdev ${test} 2>/dev/null; true`)
  const writable = await find('-writable -not -type l')
  demand('no file can be written', writable === '', writable)
  // Of what people reach for first when they are where they should not be.
  const tools = ['npm', 'npx', 'corepack', 'yarn', 'gcc', 'cc', 'make', 'python3', 'git', 'curl', 'wget']
  const found = await container.exec('sh', '-c', `for tool in ${tools.join(' ')}; do command -v $tool; done; true`)
  demand('no tool of building is left', found === '', found)
  const privileged = await find('-type f -perm /6000')
  demand('no program gains rights by its mode', privileged === '', privileged)
  const help = await container.exec('nightshift', '--help')
  demand('the command `nightshift` is on the path', help.includes('Usage: nightshift'), help)
}

interface Task {
  readonly status: string
  readonly failures: number
  readonly crashes: number
}

function clientOf(port: number, key: string) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  async function call<Body>(method: string, path: string, body?: unknown): Promise<Body> {
    const url = `http://127.0.0.1:${port}/api/v1/tasks${path}`
    const response = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${url} was answered ${response.status}: ${text}`)
    return JSON.parse(text) as Body
  }
  return {
    submit: async (name: string, payload: unknown) => (await call<{ id: string }>('POST', '', { name, payload })).id,
    read: (id: string) => call<Task>('GET', `/${id}`),
    cancel: (id: string) => call<Task>('POST', `/${id}/cancel`),
  }
}

function get(port: number, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`)
}

function demand(what: string, holds: boolean, seen: unknown): void {
  if (holds) return
  throw new Error(`not so: ${what}; seen: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`)
}

/** Polls until `probe` says true; gives up when the container has ended, or after a minute. */
async function until(container: Container, what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  const end = container.ended.then((code) => ({ code }))
  for (;;) {
    if (await probe().catch(() => false)) return
    const over = await Promise.race([end, sleep(100)])
    if (over) throw new Error(`${container.name} ended with ${over.code} while waiting for ${what}`)
    if (performance.now() > deadline) throw new Error(`waited a minute for ${what}`)
  }
}
