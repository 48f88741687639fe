/**
 * Brings the database to the newest schema: the numbered files of `migrations/`, in order, under an advisory lock, in the
 * schema `nightshift`; then those of each pack, in a schema of the pack's own.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import type { PackSchema } from '../core/task-types.ts'
import type { Queryable } from './db.ts'

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url))
const SCHEMA = 'nightshift'
/** Names what was applied; each schema has its own. */
const TABLE = 'schema_migration'

/**
 * Applies what is missing, each file in its own transaction; doing it again does nothing.
 * Several processes may do it at once: they wait for each other.
 *
 * @param log receives one line per file applied
 */
export async function migrate(
  databaseUrl: string,
  packs: readonly PackSchema[],
  log: (line: string) => void = () => undefined,
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 })
  client.on('error', (error) => log(`the connection broke: ${error.message}`))
  await client.connect()
  try {
    await client.query("select pg_advisory_lock(hashtext('nightshift migrate'))")
    // A lock that is waited for blocks every later query on the table, so a migration gives up early instead.
    await client.query("set lock_timeout = '5s'")
    await refuseUnfit(client)
    await ensureSchema(client, SCHEMA)
    for (const name of await apply(client, FOLDER, SCHEMA)) log(`applied ${name}`)
    for (const { name: schema, folder } of packs) {
      await ensureSchema(client, schema)
      for (const name of await apply(client, folder, schema)) log(`applied ${schema}/${name}`)
    }
  } finally {
    await client.end()
  }
}

const FACTS = `
  select current_setting('server_encoding') as encoding,
         to_regclass('public.unfinished') is not null and to_regclass('public.schema_migration') is not null as "isOld"`

/** @throws Error when the database cannot be brought to this schema; nothing was changed then */
async function refuseUnfit(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string; isOld: boolean }>(FACTS)
  const { encoding, isOld } = rows[0] ?? { encoding: '', isOld: false }
  if (isOld) {
    throw new Error(
      'this database has the tables of Nightshift 0.1 in its schema public, which no migration takes over: use a new database',
    )
  }
  if (encoding !== 'UTF8') {
    throw new Error(
      `the encoding of this database is ${encoding}, which cannot hold every text: create it with encoding 'UTF8' template template0`,
    )
  }
}

/** Applies the files of a folder, with the schema first in the search path. Names those that were applied. */
async function apply(client: pg.Client, folder: string, schema: string): Promise<string[]> {
  const applied = await runner({
    dbClient: client,
    dir: folder,
    direction: 'up',
    migrationsTable: TABLE,
    schema: [schema, 'public'],
    migrationsSchema: schema,
    noLock: true,
    singleTransaction: false,
    log: () => undefined,
  })
  return applied.map(({ name }) => name)
}

/** Only when it is missing: even `if not exists` asks for the right to create one. */
async function ensureSchema(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ is: boolean }>('select to_regnamespace($1) is not null as "is"', [schema])
  if (!rows[0]?.is) await client.query(`create schema "${schema}"`)
}

interface Needed {
  /** `0001_baseline`, or of a pack `mail/0001_tables`. */
  readonly label: string
  readonly name: string
  readonly schema: string
}

/** Lists the newest migration of the platform and of each pack. */
function needed(packs: readonly PackSchema[]): Needed[] {
  const name = newestIn(FOLDER)
  const ofPacks = packs.map(({ name: schema, folder }) => {
    const newest = newestIn(folder)
    return { label: `${schema}/${newest}`, name: newest, schema }
  })
  return [{ label: name, name, schema: SCHEMA }, ...ofPacks]
}

function newestIn(folder: string): string {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  return (names.at(-1) as string).replace(/\.sql$/, '')
}

/** Names the newest migrations that this code and its packs know: `0001_baseline`, `mail/0001_tables`. */
export function neededMigrations(packs: readonly PackSchema[]): string[] {
  return needed(packs).map(({ label }) => label)
}

/** Names those of them that the database lacks. A database without any has none of them. */
export async function missingMigrations(db: Queryable, packs: readonly PackSchema[]): Promise<string[]> {
  const missing: string[] = []
  for (const one of needed(packs)) if (!(await isApplied(db, one))) missing.push(one.label)
  return missing
}

async function isApplied(db: Queryable, { name, schema }: Needed): Promise<boolean> {
  try {
    const rows = await db.query(
      { name: `migration_applied_${schema}`, text: `select 1 as yes from "${schema}".${TABLE} where name = $1` },
      [name],
    )
    return rows.length > 0
  } catch (error) {
    if ((error as { code?: string }).code === '42P01') return false
    throw error
  }
}
