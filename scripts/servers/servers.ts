// Provides a PostgreSQL and a RabbitMQ from wherever they can be had: the ones given by DATABASE_URL and AMQP_URL,
// else Docker, else the machine's own programs. Servers started here are for trying and testing: their data goes with them.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { dockerAnswers, startContainers } from './docker.ts'
import { startPostgres } from './postgres.ts'
import type { Log, ServerName } from './programs.ts'
import { startRabbitmq } from './rabbitmq.ts'

export interface ServersOptions {
  /** Where data and logs of the machine's own programs live; removed at `stop`. */
  readonly folder: string
  readonly log: Log
  /** Leaves the servers running when this process exits. */
  readonly outlive?: boolean
}

export interface Servers {
  readonly databaseUrl: string
  readonly amqpUrl: string
  readonly kind: 'given' | 'docker' | 'machine'
  /** The processes started here, for a later process to end them. Empty unless `machine`. */
  readonly processes: readonly StartedProcess[]
  /** Their data, to be removed after them. */
  readonly folders: readonly string[]
  /** Ends what was started here and removes its data; given servers stay as they are. */
  stop(): Promise<void>
}

export interface StartedProcess {
  readonly pid: number
  /** A part of its command line, to recognise it by: pids are used again. */
  readonly mark: string
  readonly stopSignal: NodeJS.Signals
}

interface Started {
  readonly url: string
  readonly processes: readonly StartedProcess[]
  readonly folder: string
  remove(): Promise<void>
}

/** Provides both servers, ready to use. Whatever was started is ended again when one of them cannot be. */
export async function provideServers(options: ServersOptions): Promise<Servers> {
  const { DATABASE_URL, AMQP_URL } = process.env
  const given = { ...(DATABASE_URL && { postgres: DATABASE_URL }), ...(AMQP_URL && { rabbitmq: AMQP_URL }) }
  const missing = (['postgres', 'rabbitmq'] as const).filter((name) => !given[name])
  for (const name of Object.keys(given)) options.log(`${name}: using the one given`)
  if (missing.length === 0) return withKind('given', given, {}, async () => {})
  if (await dockerAnswers()) return fromDocker(options, given, missing)
  return fromMachine(options, given, missing)
}

type Urls = Partial<Record<ServerName, string>>

async function fromDocker({ folder, log, outlive }: ServersOptions, given: Urls, missing: readonly ServerName[]) {
  log(`starting ${missing.join(' and ')} in Docker`)
  const containers = await startContainers(folder, missing, outlive)
  const started = { postgres: containers.databaseUrl, rabbitmq: containers.amqpUrl }
  return withKind('docker', { ...started, ...given }, {}, () => containers.remove())
}

async function fromMachine(options: ServersOptions, given: Urls, missing: readonly ServerName[]): Promise<Servers> {
  options.log(`starting a private ${missing.join(' and ')}`)
  const starting = missing.map(async (name) => [name, await startOnMachine(name, options)] as const)
  const settled = await Promise.allSettled(starting)
  const started = settled.filter((each) => each.status === 'fulfilled').map((each) => each.value)
  const remove = async () => {
    await Promise.all(started.map(([, server]) => server.remove()))
    rmSync(options.folder, { recursive: true, force: true })
  }
  const failed = settled.find((each) => each.status === 'rejected')
  if (failed) {
    await remove()
    throw failed.reason
  }
  const urls = Object.fromEntries(started.map(([name, { url }]) => [name, url]))
  const processes = started.flatMap(([, server]) => server.processes)
  const folders = [options.folder, ...started.map(([, server]) => server.folder)]
  return withKind('machine', { ...urls, ...given }, { processes, folders }, remove)
}

async function startOnMachine(name: ServerName, { folder, log, outlive }: ServersOptions): Promise<Started> {
  if (name === 'postgres') {
    const { url, port, pid, home, remove } = await startPostgres({ folder: join(folder, name), log, outlive })
    return { url, processes: [{ pid, mark: `port=${port}`, stopSignal: 'SIGINT' }], folder: home, remove }
  }
  const { url, pid, epmdPid, epmdPort, remove } = await startRabbitmq({ folder: join(folder, name), log, outlive })
  const node = { pid, mark: `-epmd_port ${epmdPort}`, stopSignal: 'SIGKILL' } as const
  const epmd = { pid: epmdPid, mark: `-port ${epmdPort}`, stopSignal: 'SIGTERM' } as const
  return { url, processes: [node, epmd], folder: join(folder, name), remove }
}

function withKind(
  kind: Servers['kind'],
  urls: Urls,
  { processes = [], folders = [] }: Partial<Pick<Servers, 'processes' | 'folders'>>,
  stop: () => Promise<void>,
): Servers {
  return { kind, databaseUrl: urls.postgres as string, amqpUrl: urls.rabbitmq as string, processes, folders, stop }
}
