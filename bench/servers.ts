// The servers of one run, all private and all durable: PostgreSQL and RabbitMQ at their defaults, one Redis for each
// way of writing its append-only file. Each is started when first asked for, and is then kept for all systems.
import { join } from 'node:path'
import { createManagement, type Management } from '../scripts/servers/management.ts'
import { type Postgres, startPostgres } from '../scripts/servers/postgres.ts'
import { type Rabbitmq, startRabbitmq } from '../scripts/servers/rabbitmq.ts'
import { type Redis, startRedis } from './redis.ts'

export interface Servers {
  postgres(): Promise<Postgres>
  rabbitmq(): Promise<Rabbitmq>
  management(): Promise<Management>
  redis(fsync: 'always' | 'everysec'): Promise<Redis>
  stop(): Promise<void>
}

// The moment of a commit is what "recorded" means in the open loop; noting it costs ten bytes a commit, for every system.
const POSTGRES_SETTINGS = { track_commit_timestamp: 'on' }

export interface ServersOptions {
  readonly folder: string
  readonly log: (line: string) => void
  /** Beside those that every run has. */
  readonly postgresSettings: Readonly<Record<string, string>>
  /** Added to the environment of every server. */
  readonly env?: Readonly<Record<string, string>>
}

/** Makes the servers of a run. */
export function createServers({ folder, log, postgresSettings, env = {} }: ServersOptions): Servers {
  const started = new Map<string, Promise<{ remove(): Promise<void> }>>()
  const once = <Server extends { remove(): Promise<void> }>(name: string, start: () => Promise<Server>) => {
    const known = started.get(name) as Promise<Server> | undefined
    if (known) return known
    log(`starting ${name}`)
    const starting = start()
    started.set(name, starting)
    return starting
  }
  const rabbitmq = (): Promise<Rabbitmq> => {
    return once('RabbitMQ', () => startRabbitmq({ folder: join(folder, 'rabbitmq'), log, env }))
  }
  return {
    postgres: () =>
      once('PostgreSQL', () =>
        startPostgres({
          folder: join(folder, 'postgres'),
          log,
          env,
          settings: { ...POSTGRES_SETTINGS, ...postgresSettings },
        }),
      ),
    rabbitmq,
    management: async () => createManagement((await rabbitmq()).managementUrl),
    redis: (fsync) => once(`Redis (${fsync})`, () => startRedis(join(folder, `redis-${fsync}`), fsync, env)),
    async stop() {
      const all = await Promise.allSettled(started.values())
      await Promise.allSettled(all.map((each) => (each.status === 'fulfilled' ? each.value.remove() : undefined)))
    },
  }
}
