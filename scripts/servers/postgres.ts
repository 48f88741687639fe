// Starts a private PostgreSQL on 127.0.0.1: own data, own port, nothing shared with a system-wide one.
// Has the faults a test wants: a crash, a restart, a freeze.
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Client } from 'pg'
import { freePort } from './ports.ts'
import { childrenOf, gone, signal } from './process-table.ts'
import { type Log, programsOf } from './programs.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

export interface PostgresOptions {
  /** Where data and log live. A folder used before is used again, with its data. */
  readonly folder: string
  readonly port?: number | undefined
  /** Settings as in postgresql.conf, over the ones below. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
  /** Added to the server's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly outlive?: boolean | undefined
  readonly log?: Log | undefined
}

export interface Postgres {
  /** The database `nightshift`, as superuser `postgres`, without a password. */
  readonly url: string
  readonly port: number
  /** Where the data is: not always in the folder asked for, see `homeFor`. */
  readonly home: string
  /** The postmaster's; changes with every start. */
  readonly pid: number
  /** Starts it again after `stop` or `kill`: same port, same data. */
  start(): Promise<void>
  /** Ends sessions and the server, in order; fine when it does not run. */
  stop(): Promise<void>
  /** `fast` rolls back and writes a checkpoint, `immediate` crashes and recovers. */
  restart(how: 'fast' | 'immediate'): Promise<void>
  /** Ends all its processes by SIGKILL, as a power cut would. */
  kill(): Promise<void>
  /** Stops all its processes where they are: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  /** Stops it and removes its data. */
  remove(): Promise<void>
}

interface User {
  readonly uid: number
  readonly gid: number
}

// PostgreSQL's own defaults otherwise, fsync included.
const SETTINGS = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: 200 }
const DATABASE = 'nightshift'

/** Starts PostgreSQL and resolves when the database `nightshift` takes queries. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const programs = programsOf('postgres', options.log)
  const port = options.port ?? (await freePort())
  const user = unprivilegedUser()
  const folder = resolve(options.folder)
  mkdirSync(folder, { recursive: true })
  const home = homeFor(user, folder)
  const data = join(home, 'data')
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(programs, data, home, user)

  const settings = Object.entries({ ...SETTINGS, port, ...options.settings })
  const maintenanceUrl = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ServerProcess | undefined

  async function start(): Promise<void> {
    if (server) return
    server = await startServerProcess({
      name: 'PostgreSQL',
      command: join(programs, 'postgres'),
      args: ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...options.env },
      logFile: join(folder, 'postgres.log'),
      cwd: home,
      user,
      lastSignal: 'SIGQUIT',
      outlive: options.outlive,
    })
    await server.ready(() => takesQueries(maintenanceUrl))
    await createDatabase(maintenanceUrl)
  }

  async function end(name: NodeJS.Signals): Promise<void> {
    const ending = server
    server = undefined
    if (!ending) return
    signal(ending.pid, 'SIGSTOP')
    const children = childrenOf(ending.pid)
    const nameForChildren = name === 'SIGKILL' ? 'SIGKILL' : 'SIGCONT'
    for (const child of children) signal(child, nameForChildren)
    await ending.end(name)
    // Orphans still hold the shared memory for a moment, and a postmaster refuses to start beside them.
    for (const child of children) await gone(child, 10_000)
  }

  const pid = () => {
    if (!server) throw new Error('PostgreSQL is not running')
    return server.pid
  }

  await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/${DATABASE}`,
    port,
    home,
    get pid() {
      return pid()
    },
    start,
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    async restart(how) {
      await end(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
      await start()
    },
    freeze() {
      // The postmaster first: stopped, it cannot start further children.
      for (const each of [pid(), ...childrenOf(pid())]) signal(each, 'SIGSTOP')
    },
    thaw() {
      for (const each of [...childrenOf(pid()), pid()]) signal(each, 'SIGCONT')
    },
    async remove() {
      await end('SIGINT')
      rmSync(home, { recursive: true, force: true })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

// PostgreSQL refuses to run as root. The packages bring a user for it.
function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

// A checkout below /root is closed to that user: its data then lives with the temporary files.
function homeFor(user: User | undefined, folder: string): string {
  if (!user) return folder
  const isReachable = spawnSync('test', ['-x', folder], { ...user, cwd: '/' }).status === 0
  return isReachable ? folder : mkdtempReadable()
}

function mkdtempReadable(): string {
  const home = mkdtempSync(join(tmpdir(), 'nightshift-postgres-'))
  execFileSync('chmod', ['755', home])
  return home
}

function initialise(programs: string, data: string, cwd: string, user: User | undefined): void {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  if (user) chownSync(data, user.uid, user.gid)
  const args = [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]
  const { status, stderr } = spawnSync(join(programs, 'initdb'), args, { cwd, ...user, encoding: 'utf8' })
  if (status !== 0) throw new Error(`initdb failed (exit ${status}): ${stderr}`)
}

async function takesQueries(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}
