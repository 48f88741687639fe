// Starts a private RabbitMQ on 127.0.0.1: own node, own ports, own data, and its own epmd (the name server of
// Erlang nodes), so that it neither sees nor disturbs another one. Has the faults a test wants.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createManagement } from './management.ts'
import { accepts, freePorts } from './ports.ts'
import { signal } from './process-table.ts'
import { type Log, programsOf } from './programs.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

export interface RabbitmqOptions {
  /** Where data, configuration and log live. A folder used before is used again, with its data. */
  readonly folder: string
  readonly port?: number | undefined
  /** Settings as in rabbitmq.conf, over the ones below. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
  /** Added to the node's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly outlive?: boolean | undefined
  readonly log?: Log | undefined
}

export interface Rabbitmq {
  /** The default vhost, as user guest. */
  readonly url: string
  readonly port: number
  readonly managementUrl: string
  /** Where its Prometheus plugin answers: `/metrics` in sum, `/metrics/detailed` by queue. */
  readonly prometheusUrl: string
  /** The node's; changes with every start. */
  readonly pid: number
  readonly epmdPid: number
  readonly epmdPort: number
  /** Starts it again after `stop` or `kill`: same ports, same data. */
  start(): Promise<void>
  /** Stops the node in order, then its epmd, and waits until both are gone; fine when it does not run. */
  stop(): Promise<void>
  /** Ends the node by SIGKILL, as a power cut would. */
  kill(): Promise<void>
  /** Stops the node where it is: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  /** Forgets everything: users, vhosts, queues, messages. Only while stopped. */
  wipe(): void
  /** Runs rabbitmqctl (one to two seconds) and returns what it printed. */
  ctl(...args: string[]): Promise<string>
  /** Raises the memory alarm: the broker stops reading from connections that publish. */
  blockPublishers(): Promise<void>
  unblockPublishers(): Promise<void>
  /** Creates a vhost and returns its URL. */
  addVhost(name: string): Promise<string>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

const MEMORY_WATERMARK = 0.4
const SETTINGS = {
  'management.tcp.ip': '127.0.0.1',
  'prometheus.tcp.ip': '127.0.0.1',
  'vm_memory_high_watermark.relative': MEMORY_WATERMARK,
  'disk_free_limit.absolute': '50MB',
  // The management API shows counts as old as this, in milliseconds.
  collect_statistics_interval: 1_000,
}

/** Starts RabbitMQ with the management plugin and resolves when both take connections. */
export async function startRabbitmq(options: RabbitmqOptions): Promise<Rabbitmq> {
  const programs = programsOf('rabbitmq', options.log)
  const folder = resolve(options.folder)
  const [freeForAmqp, managementPort, prometheusPort, distPort, epmdPort] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const port = options.port ?? freeForAmqp
  const managementUrl = `http://guest:guest@127.0.0.1:${managementPort}`
  const management = createManagement(managementUrl)
  const env = { ...environmentOf({ folder, port, distPort, epmdPort }), ...options.env }
  const ports = { 'management.tcp.port': managementPort, 'prometheus.tcp.port': prometheusPort }
  writeConfiguration(folder, { ...SETTINGS, ...ports, ...options.settings })
  let node: ServerProcess | undefined
  let epmd: ServerProcess | undefined

  async function start(): Promise<void> {
    if (node) return
    const program = { env, cwd: folder, logFile: join(folder, 'rabbitmq.log'), outlive: options.outlive }
    epmd ??= await startServerProcess({
      ...program,
      name: 'epmd',
      command: 'epmd',
      args: ['-port', String(epmdPort), '-address', '127.0.0.1'],
      lastSignal: 'SIGTERM',
    })
    await epmd.ready(() => accepts(epmdPort))
    const command = join(programs, 'rabbitmq-server')
    node = await startServerProcess({ ...program, name: 'RabbitMQ', command, args: [], lastSignal: 'SIGKILL' })
    await node.ready(async () => (await accepts(port)) && (await answers(management)))
  }

  async function end(name: NodeJS.Signals): Promise<void> {
    const ending = node
    node = undefined
    await ending?.end(name)
  }

  async function stop(): Promise<void> {
    await end('SIGTERM')
    const ending = epmd
    epmd = undefined
    await ending?.end('SIGTERM')
  }

  async function ctl(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(programs, 'rabbitmqctl'), ['-q', ...args], { env, cwd: folder })
    return stdout
  }

  const pid = () => pidOf(node)
  await start()
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    managementUrl,
    prometheusUrl: `http://127.0.0.1:${prometheusPort}`,
    get pid() {
      return pid()
    },
    get epmdPid() {
      return pidOf(epmd)
    },
    epmdPort,
    start,
    stop,
    kill: () => end('SIGKILL'),
    freeze: () => signal(pid(), 'SIGSTOP'),
    thaw: () => signal(pid(), 'SIGCONT'),
    wipe() {
      if (node) throw new Error('only a stopped RabbitMQ can be wiped')
      rmSync(join(folder, 'data'), { recursive: true, force: true })
    },
    ctl,
    async blockPublishers() {
      await ctl('set_vm_memory_high_watermark', '0')
    },
    async unblockPublishers() {
      await ctl('set_vm_memory_high_watermark', String(MEMORY_WATERMARK))
    },
    async addVhost(name) {
      await management.addVhost(name)
      return `amqp://guest:guest@127.0.0.1:${port}/${encodeURIComponent(name)}`
    },
    async remove() {
      // Its data is thrown away, so it need not stop in order, which takes RabbitMQ six seconds.
      await end('SIGKILL')
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Place {
  readonly folder: string
  readonly port: number
  readonly distPort: number
  readonly epmdPort: number
}

function environmentOf({ folder, port, distPort, epmdPort }: Place): Record<string, string> {
  // Data belongs to a node name, so a folder always gets the same one.
  const suffix = createHash('sha256').update(folder).digest('hex').slice(0, 8)
  return {
    PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C.UTF-8',
    HOME: folder,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // Run as under systemd, the start script becomes the node (exec) and takes no input: one pid, SIGTERM stops in order.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: `nightshift-${suffix}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'rabbitmq.pid'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: join(folder, 'conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  }
}

function writeConfiguration(folder: string, settings: Record<string, string | number>): void {
  mkdirSync(join(folder, 'conf.d'), { recursive: true })
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(join(folder, 'rabbitmq.conf'), lines.join(''))
  writeFileSync(join(folder, 'advanced.config'), '[].\n')
  writeFileSync(join(folder, 'rabbitmq-env.conf'), '')
  writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n')
}

async function answers(management: ReturnType<typeof createManagement>): Promise<boolean> {
  return management.call('GET', 'overview').then(
    () => true,
    () => false,
  )
}

function pidOf(server: ServerProcess | undefined): number {
  if (!server) throw new Error('RabbitMQ is not running')
  return server.pid
}
