// Starts the servers as containers, where a Docker engine answers.
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { own } from './ownership.ts'
import { freePorts } from './ports.ts'
import type { ServerName } from './programs.ts'

export interface Containers {
  readonly databaseUrl: string
  readonly amqpUrl: string
  /** Removes the containers and their data. */
  remove(): Promise<void>
}

const COMPOSE_FILE = new URL('compose.yaml', import.meta.url).pathname
const run = promisify(execFile)

/** Tells whether a Docker engine answers. The `docker` command alone is not enough. */
export async function dockerAnswers(): Promise<boolean> {
  return run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 }).then(
    () => true,
    () => false,
  )
}

/**
 * Starts the named servers and waits until they are healthy. Images are downloaded the first time.
 *
 * @param folder  names the compose project: two folders do not meet
 */
export async function startContainers(
  folder: string,
  services: readonly ServerName[],
  outlive = false,
): Promise<Containers> {
  const [postgresPort, amqpPort, managementPort] = (await freePorts(3)) as [number, number, number]
  const ports = { POSTGRES_PORT: postgresPort, AMQP_PORT: amqpPort, MANAGEMENT_PORT: managementPort }
  const entries = Object.entries(ports).map(([name, port]) => [name, String(port)])
  const env = { ...process.env, ...Object.fromEntries(entries) }
  const release = outlive ? () => {} : own(() => execFileSync('docker', downOf(folder), { stdio: 'ignore' }))
  await run('docker', [...projectOf(folder), 'up', '-d', '--wait', ...services], { env })
  return {
    databaseUrl: `postgres://postgres@127.0.0.1:${postgresPort}/nightshift`,
    amqpUrl: `amqp://guest:guest@127.0.0.1:${amqpPort}`,
    async remove() {
      await removeContainers(folder)
      release()
    },
  }
}

/** Removes what `startContainers` started for this folder, also from another process. */
export async function removeContainers(folder: string): Promise<void> {
  await run('docker', downOf(folder))
}

function downOf(folder: string): string[] {
  return [...projectOf(folder), 'down', '-v', '--timeout', '5']
}

function projectOf(folder: string): string[] {
  const suffix = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 8)
  return ['compose', '-f', COMPOSE_FILE, '-p', `nightshift-${suffix}`]
}
