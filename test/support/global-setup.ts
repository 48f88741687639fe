// Runs once before the live tests: one PostgreSQL with a migrated template database, and one RabbitMQ, both private
// and both gone afterwards. A run of unit tests alone does not get here.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { startPostgres } from '../../scripts/servers/postgres.ts'
import { startRabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { migrate } from '../../src/store/migrate.ts'

const TEMPLATE = 'nightshift_template'

declare module 'vitest' {
  export interface ProvidedContext {
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
}

/** Starts the servers, and returns what ends them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const name = randomBytes(4).toString('hex')
  const folder = fileURLToPath(new URL(`../../.nightshift/test/${name}`, import.meta.url))
  const starting = [
    startPostgres({ folder: join(folder, 'postgres'), log: console.error }),
    startRabbitmq({ folder: join(folder, 'rabbitmq'), log: console.error }),
  ] as const
  const removeAll = async () => {
    const started = (await Promise.allSettled(starting)).filter((each) => each.status === 'fulfilled')
    await Promise.all(started.map((each) => each.value.remove()))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const [postgres, rabbitmq] = await Promise.all(starting)
    await createTemplate(postgres.url)
    project.provide('postgresUrl', postgres.url)
    project.provide('amqpUrl', rabbitmq.url)
    project.provide('managementUrl', rabbitmq.managementUrl)
    project.provide('rabbitmqPrometheusUrl', rabbitmq.prometheusUrl)
    project.provide('runFolder', folder)
  } catch (error) {
    await removeAll()
    throw error
  }
  return removeAll
}

async function createTemplate(postgresUrl: string): Promise<void> {
  const client = new Client({ connectionString: postgresUrl })
  await client.connect()
  await client.query(`create database ${TEMPLATE}`)
  await client.end()
  const template = new URL(postgresUrl)
  template.pathname = TEMPLATE
  await migrate(template.href)
}
