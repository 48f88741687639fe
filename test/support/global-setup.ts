// Runs once before the live tests: for each run side by side one PostgreSQL with a migrated template database, and one
// RabbitMQ, all private and all gone afterwards. A run of unit tests alone does not get here.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { startPostgres } from '../../scripts/servers/postgres.ts'
import { startRabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { migrate } from '../../src/store/migrate.ts'
import { PACKS } from './packs.ts'

const TEMPLATE = 'nightshift_template'

/** How many live tests run side by side; they wait more than they compute. */
export const LIVE_RUNS = 3

export interface SharedServers {
  /** The shared PostgreSQL, for `aDatabase`. */
  readonly postgresUrl: string
  /** The shared RabbitMQ, for `aVhost`. */
  readonly amqpUrl: string
  readonly managementUrl: string
  /** Where its Prometheus plugin answers. */
  readonly rabbitmqPrometheusUrl: string
  /** A folder of this run, for servers that a test starts for itself. Removed afterwards. */
  readonly runFolder: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** One for each run. */
    readonly servers: readonly SharedServers[]
  }
}

interface Started {
  readonly shared: SharedServers
  remove(): Promise<void>
}

/** Starts the servers, no more sets of them than there are files to run, and returns what ends them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const files = project.vitest.state.getPaths().filter((path) => project.matchesTestGlob(path)).length
  const runs = Math.min(project.config.maxWorkers, Math.max(1, files))
  const starting = Array.from({ length: runs }, startServers)
  const removeAll = async (): Promise<void> => {
    const started = (await Promise.allSettled(starting)).filter((each) => each.status === 'fulfilled')
    await Promise.all(started.map(({ value }) => value.remove()))
  }
  try {
    project.provide(
      'servers',
      (await Promise.all(starting)).map(({ shared }) => shared),
    )
  } catch (error) {
    await removeAll()
    throw error
  }
  return removeAll
}

async function startServers(): Promise<Started> {
  const name = randomBytes(4).toString('hex')
  const runFolder = fileURLToPath(new URL(`../../.nightshift/test/${name}`, import.meta.url))
  const starting = [
    startPostgres({ folder: join(runFolder, 'postgres'), log: console.error }),
    startRabbitmq({ folder: join(runFolder, 'rabbitmq'), log: console.error }),
  ] as const
  const remove = async (): Promise<void> => {
    const started = (await Promise.allSettled(starting)).filter((each) => each.status === 'fulfilled')
    await Promise.all(started.map((each) => each.value.remove()))
    rmSync(runFolder, { recursive: true, force: true })
  }
  try {
    const [postgres, rabbitmq] = await Promise.all(starting)
    await createTemplate(postgres.url)
    const { url: amqpUrl, managementUrl, prometheusUrl } = rabbitmq
    const shared = {
      postgresUrl: postgres.url,
      amqpUrl,
      managementUrl,
      rabbitmqPrometheusUrl: prometheusUrl,
      runFolder,
    }
    return { shared, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function createTemplate(postgresUrl: string): Promise<void> {
  const client = new Client({ connectionString: postgresUrl })
  await client.connect()
  await client.query(`create database ${TEMPLATE}`)
  await client.end()
  const template = new URL(postgresUrl)
  template.pathname = TEMPLATE
  await migrate(template.href, PACKS.schemas)
}
