// Finds the server programs of this machine, or installs them where that is simple: as root on Debian and Ubuntu.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { canInstall, install } from '../apt.ts'

export type ServerName = 'postgres' | 'rabbitmq'
export type Log = (line: string) => void

const OLDEST_POSTGRES = 15
const POSTGRES_VERSIONS = '/usr/lib/postgresql'
const RABBITMQ_PROGRAMS = '/usr/lib/rabbitmq/bin'
const PACKAGES: Readonly<Record<ServerName, string>> = { postgres: 'postgresql', rabbitmq: 'rabbitmq-server' }

/**
 * Returns the folder of a server's programs, installing them first if need be.
 * Throws an error that says what to do when they are neither there nor installable.
 */
export function programsOf(server: ServerName, log: Log = () => {}): string {
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

function findPrograms(server: ServerName): string | undefined {
  if (server === 'rabbitmq')
    return existsSync(join(RABBITMQ_PROGRAMS, 'rabbitmq-server')) ? RABBITMQ_PROGRAMS : undefined
  if (!existsSync(POSTGRES_VERSIONS)) return undefined
  const versions = readdirSync(POSTGRES_VERSIONS)
    .map(Number)
    .filter((version) => version >= OLDEST_POSTGRES)
  const folders = versions.sort((a, b) => b - a).map((version) => join(POSTGRES_VERSIONS, String(version), 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

function whatToDo(server: ServerName): string {
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
