/** Brings the database to the newest schema: the numbered files of `migrations/`, in order, under an advisory lock. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import type { Queryable } from './db.ts'

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url))
const TABLE = 'schema_migration'

/**
 * Applies what is missing, each file in its own transaction; doing it again does nothing.
 * Several processes may do it at once: they wait for each other.
 *
 * @param log receives one line per file applied
 */
export async function migrate(databaseUrl: string, log: (line: string) => void = () => undefined): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 })
  client.on('error', (error) => log(`the connection broke: ${error.message}`))
  await client.connect()
  try {
    await client.query("select pg_advisory_lock(hashtext('nightshift migrate'))")
    // A lock that is waited for blocks every later query on the table, so a migration gives up early instead.
    await client.query("set lock_timeout = '5s'")
    const applied = await runner({
      dbClient: client,
      dir: FOLDER,
      direction: 'up',
      migrationsTable: TABLE,
      noLock: true,
      singleTransaction: false,
      log: () => undefined,
    })
    for (const migration of applied) log(`applied ${migration.name}`)
  } finally {
    await client.end()
  }
}

/** Names the newest migration that this code knows, such as `0002_conversation`. */
export function newestMigration(): string {
  const names = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  return (names.at(-1) as string).replace(/\.sql$/, '')
}

const APPLIED = { name: 'migration_applied', text: `select 1 as yes from ${TABLE} where name = $1` }

/** Tells whether the database has every migration that this code needs. A database without any has none of them. */
export async function isMigrated(db: Queryable): Promise<boolean> {
  try {
    return (await db.query(APPLIED, [newestMigration()])).length > 0
  } catch (error) {
    if ((error as { code?: string }).code === '42P01') return false
    throw error
  }
}
