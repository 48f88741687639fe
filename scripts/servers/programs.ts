// Finds the server programs of this machine, or installs them where that is simple: as root on Debian and Ubuntu.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { canInstall, install } from '../apt.ts'

export type ServerName = 'postgres' | 'rabbitmq'
/** Prometheus only watches: no task needs it, so it is no server of the platform. */
export type ProgramName = ServerName | 'prometheus'
export type Log = (line: string) => void

const OLDEST_POSTGRES = 15
const POSTGRES_VERSIONS = '/usr/lib/postgresql'
const RABBITMQ_PROGRAMS = '/usr/lib/rabbitmq/bin'
const PROMETHEUS_PROGRAMS = '/usr/bin'
const PACKAGES: Readonly<Record<ProgramName, string>> = {
  postgres: 'postgresql',
  rabbitmq: 'rabbitmq-server',
  prometheus: 'prometheus',
}

/**
 * Returns the folder of a server's programs, installing them first if need be.
 * Throws an error that says what to do when they are neither there nor installable.
 */
export function programsOf(server: ProgramName, log: Log = () => {}): string {
  const found = findPrograms(server)
  if (found) return found
  if (!canInstall()) throw new Error(whatToDo(server))
  log(`installing ${PACKAGES[server]} with apt-get, once`)
  install([PACKAGES[server]])
  const installed = findPrograms(server)
  if (!installed) throw new Error(`${PACKAGES[server]} was installed, but is not usable here. ${whatToDo(server)}`)
  return installed
}

/** Tells whether `programsOf` can succeed for both servers, without installing anything. */
export function hasPrograms(): boolean {
  return canInstall() || (findPrograms('postgres') !== undefined && findPrograms('rabbitmq') !== undefined)
}

function findPrograms(server: ProgramName): string | undefined {
  if (server === 'prometheus') {
    const names = ['prometheus', 'promtool']
    return names.every((name) => existsSync(join(PROMETHEUS_PROGRAMS, name))) ? PROMETHEUS_PROGRAMS : undefined
  }
  if (server === 'rabbitmq')
    return existsSync(join(RABBITMQ_PROGRAMS, 'rabbitmq-server')) ? RABBITMQ_PROGRAMS : undefined
  if (!existsSync(POSTGRES_VERSIONS)) return undefined
  const versions = readdirSync(POSTGRES_VERSIONS)
    .map(Number)
    .filter((version) => version >= OLDEST_POSTGRES)
  const folders = versions.sort((a, b) => b - a).map((version) => join(POSTGRES_VERSIONS, String(version), 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

function whatToDo(server: ProgramName): string {
  if (server === 'prometheus') {
    return `There is no Prometheus with promtool in ${PROMETHEUS_PROGRAMS}: sudo apt-get install prometheus (as root this is done for you)`
  }
  const [variable, what] =
    server === 'postgres'
      ? ['DATABASE_URL', `PostgreSQL ${OLDEST_POSTGRES} or newer (in ${POSTGRES_VERSIONS})`]
      : ['AMQP_URL', `RabbitMQ (in ${RABBITMQ_PROGRAMS})`]
  return [
    `There is no ${what} on this machine. One of these helps:`,
    `  on Debian or Ubuntu: sudo apt-get install postgresql rabbitmq-server (as root this is done for you)`,
    `  start Docker: a running engine is used for demo, run and up`,
    `  set ${variable} to the URL of a server you already have`,
  ].join('\n')
}
