// Empty places on the servers, so that no run sees what another left.
import { Client, Pool } from 'pg'
import type { Servers } from '../servers.ts'

let serial = 0

export interface FreshPlace {
  readonly url: string
  drop(): Promise<void>
}

/** Creates an empty database. */
export async function freshDatabase(servers: Servers): Promise<FreshPlace> {
  const { url } = await servers.postgres()
  const name = `bench_${process.pid}_${++serial}`
  await administrate(url, `create database ${name}`)
  const place = new URL(url)
  place.pathname = `/${name}`
  return { url: place.href, drop: () => administrate(url, `drop database ${name} with (force)`) }
}

/** Creates an empty virtual host. */
export async function freshVhost(servers: Servers): Promise<FreshPlace> {
  const { addVhost } = await servers.rabbitmq()
  const management = await servers.management()
  const name = `bench-${++serial}`
  return { url: await addVhost(name), drop: () => management.dropVhost(name) }
}

async function administrate(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

export interface Looker {
  /** Reads one number. */
  count(sql: string): Promise<number>
  /** Reads one column of numbers. */
  numbers(sql: string): Promise<number[]>
  close(): Promise<void>
}

/** Opens one connection to look with, past the system that is measured. */
export function lookInto(databaseUrl: string): Looker {
  const pool = new Pool({ connectionString: databaseUrl, max: 1, application_name: 'bench' })
  pool.on('error', () => undefined)
  const numbers = async (sql: string): Promise<number[]> => {
    const { rows } = await pool.query<number[]>({ text: sql, rowMode: 'array' })
    return rows.map(([value]) => Number(value))
  }
  return { numbers, count: async (sql) => (await numbers(sql))[0] ?? 0, close: () => pool.end() }
}
