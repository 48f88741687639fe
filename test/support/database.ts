// Gives a test a database of its own: a copy of the migrated template, made in a tenth of a second.

import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { shared } from './servers.ts'

export interface Database {
  readonly url: string
  /** Removes it, closing the connections to it. */
  drop(): Promise<void>
}

const TEMPLATE = 'nightshift_template'

// Session-level, so that it ends with the connection, whatever happens in between.
const LOCK = "select pg_advisory_lock(hashtext('clone nightshift_template'))"

/** Creates an empty, migrated database on the shared PostgreSQL. */
export async function aDatabase(): Promise<Database> {
  const postgresUrl = shared().postgresUrl
  const name = `test_${randomBytes(6).toString('hex')}`
  await run(postgresUrl, LOCK, `create database ${name} template ${TEMPLATE}`)
  const url = new URL(postgresUrl)
  url.pathname = name
  return { url: url.href, drop: () => run(postgresUrl, `drop database if exists ${name} with (force)`) }
}

/** Creates a database that nobody has migrated. */
export async function anEmptyDatabase(): Promise<Database> {
  const postgresUrl = shared().postgresUrl
  const name = `test_${randomBytes(6).toString('hex')}`
  await run(postgresUrl, `create database ${name}`)
  const url = new URL(postgresUrl)
  url.pathname = name
  return { url: url.href, drop: () => run(postgresUrl, `drop database if exists ${name} with (force)`) }
}

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** The URL for a test's own SQL, which names the tables of the platform by their plain names. */
export function sqlUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  url.searchParams.set('options', '-c search_path=nightshift,public')
  return url.href
}
