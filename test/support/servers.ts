// The servers that the tests of this run share, and servers of a test's own, to stop, freeze and wipe without disturbing
// the shared ones.
// RabbitMQ takes several seconds to start: use `aVhost` wherever the broker stays healthy.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Postgres, type PostgresOptions, startPostgres } from '../../scripts/servers/postgres.ts'
import { type Rabbitmq, type RabbitmqOptions, startRabbitmq } from '../../scripts/servers/rabbitmq.ts'
import { migrate } from '../../src/store/migrate.ts'
import type { SharedServers } from './global-setup.ts'
import { PACKS } from './packs.ts'

/** Names the servers that the tests of this run share. */
export function shared(): SharedServers {
  // Vitest numbers what runs side by side from 1: https://vitest.dev/config/env
  return inject('servers')[Number(process.env.VITEST_POOL_ID) - 1] as SharedServers
}

/** Starts a PostgreSQL whose database `nightshift` is migrated. The test calls `remove`. */
export async function aPostgres(options: Omit<PostgresOptions, 'folder'> = {}): Promise<Postgres> {
  const postgres = await startPostgres({ ...options, folder: aFolder('postgres') })
  await migrate(postgres.url, PACKS.schemas)
  return postgres
}

/** Starts an empty RabbitMQ. The test calls `remove`. */
export function aRabbitmq(options: Omit<RabbitmqOptions, 'folder'> = {}): Promise<Rabbitmq> {
  return startRabbitmq({ ...options, folder: aFolder('rabbitmq') })
}

function aFolder(kind: string): string {
  return join(shared().runFolder, `${kind}-${randomBytes(4).toString('hex')}`)
}
