// Gives a test servers of its own, to stop, freeze and wipe without disturbing the shared ones.
// RabbitMQ takes several seconds to start: use `aVhost` wherever the broker stays healthy.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Postgres, type PostgresOptions, startPostgres } from '../../scripts/servers/postgres.ts'
import { type Rabbitmq, type RabbitmqOptions, startRabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { migrate } from '../../src/store/migrate.ts'

/** Starts a PostgreSQL whose database `nightshift` is migrated. The test calls `remove`. */
export async function aPostgres(options: Omit<PostgresOptions, 'folder'> = {}): Promise<Postgres> {
  const postgres = await startPostgres({ ...options, folder: aFolder('postgres') })
  await migrate(postgres.url)
  return postgres
}

/** Starts an empty RabbitMQ. The test calls `remove`. */
export function aRabbitmq(options: Omit<RabbitmqOptions, 'folder'> = {}): Promise<Rabbitmq> {
  return startRabbitmq({ ...options, folder: aFolder('rabbitmq') })
}

function aFolder(kind: string): string {
  return join(inject('runFolder'), `${kind}-${randomBytes(4).toString('hex')}`)
}
