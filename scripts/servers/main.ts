// `make up` and `make down`: starts the servers, leaves them running, and ends them again.
// What runs is noted in .nightshift/servers.json.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dockerAnswers, removeContainers } from './docker.ts'
import { accepts } from './ports.ts'
import { commandOf, gone, signal } from './process-table.ts'
import { hasPrograms } from './programs.ts'
import { provideServers, type Servers } from './servers.ts'

const STATE = fileURLToPath(new URL('../../.nightshift', import.meta.url))
const NOTE = join(STATE, 'servers.json')
const FOLDER = join(STATE, 'servers')

const HELP = `Usage: node scripts/servers/main.ts <command>

  up      start PostgreSQL and RabbitMQ and leave them running; print their URLs
  down    end what \`up\` started and remove its data
  where   print where tests can have private servers: machine or docker

Servers are those of DATABASE_URL and AMQP_URL if set, else containers if a Docker
engine answers, else this machine's own programs (installed first if run as root on
Debian or Ubuntu).`

type Note = Omit<Servers, 'stop'>

const COMMANDS: Readonly<Record<string, () => Promise<void>>> = { up, down, where }
const [name = '--help', ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
if (name === '--help' || rest.includes('--help')) {
  console.log(HELP)
} else if (!command) {
  console.error(`${name} is not a command\n\n${HELP}`)
  process.exitCode = 2
} else {
  await command().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
}

async function up(): Promise<void> {
  const running = read()
  if (running && (await isUp(running))) return print(running)
  if (running) await down()
  const { stop: _, ...note } = await provideServers({ folder: FOLDER, log: console.error, outlive: true })
  mkdirSync(STATE, { recursive: true })
  writeFileSync(NOTE, `${JSON.stringify(note, null, 2)}\n`)
  print(note)
}

async function down(): Promise<void> {
  const running = read()
  if (!running) return console.error('nothing was started by `up`')
  if (running.kind === 'docker') await removeContainers(FOLDER)
  for (const { pid, mark, stopSignal } of running.processes) {
    if (!commandOf(pid).includes(mark)) continue
    signal(pid, stopSignal)
    if (!(await gone(pid, 30_000))) signal(pid, 'SIGKILL')
  }
  for (const folder of running.folders) rmSync(folder, { recursive: true, force: true })
  rmSync(NOTE)
  console.error('servers are down')
}

async function where(): Promise<void> {
  if (hasPrograms()) console.log('machine')
  else if (await dockerAnswers()) console.log('docker')
  else throw new Error('tests need PostgreSQL and RabbitMQ: install them (see README), or start Docker')
}

function read(): Note | undefined {
  return existsSync(NOTE) ? (JSON.parse(readFileSync(NOTE, 'utf8')) as Note) : undefined
}

async function isUp({ databaseUrl, amqpUrl }: Note): Promise<boolean> {
  const listening = [databaseUrl, amqpUrl].map((each) => {
    const { port, hostname, protocol } = new URL(each)
    return accepts(Number(port) || (protocol === 'amqp:' ? 5672 : 5432), hostname)
  })
  return (await Promise.all(listening)).every(Boolean)
}

function print({ databaseUrl, amqpUrl }: Note): void {
  console.log(`DATABASE_URL=${databaseUrl}\nAMQP_URL=${amqpUrl}`)
}
