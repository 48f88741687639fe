// Which statements PostgreSQL spent its time on, by pg_stat_statements: for a run that is profiled.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'

/** What PostgreSQL must be started with. */
export const STATEMENT_SETTINGS = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track_planning': 'on',
}

const TOP = `
  select calls, round(total_exec_time::numeric) as exec_ms, round(total_plan_time::numeric) as plan_ms,
         round((total_exec_time / calls)::numeric, 3) as mean_ms, rows, round((rows / calls::numeric), 1) as rows_per_call,
         wal_records, wal_fpi, wal_bytes, shared_blks_hit as hits, regexp_replace(left(query, 120), '\\s+', ' ', 'g') as query
    from pg_stat_statements s join pg_database d on d.oid = s.dbid
   where d.datname = current_database() and calls > 0 order by total_exec_time + total_plan_time desc limit 25`

/** Begins to count in this database. */
export async function countStatements(databaseUrl: string): Promise<void> {
  await query(databaseUrl, 'create extension if not exists pg_stat_statements')
}

/** Writes the costliest statements as tab-separated lines into the folder. */
export async function writeStatements(databaseUrl: string, folder: string): Promise<void> {
  const rows = await query(databaseUrl, TOP)
  const lines = [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))].map((line) => line.join('\t'))
  writeFileSync(join(folder, `statements-${Date.now()}.tsv`), `${lines.join('\n')}\n`)
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
