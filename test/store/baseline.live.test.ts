// Promise: whatever the defaults of a database are, the baseline makes the same schema in it and we read and write the same;
// a database that cannot be brought to it is refused in one sentence and left as it is.
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { migrate } from '../../src/store/migrate.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { settleTasks } from '../../src/store/moves/settle.ts'
import { readInstallation } from '../../src/store/reads/installation.ts'
import { readTask } from '../../src/store/reads/tasks.ts'
import { ensurePartitions } from '../../src/store/upkeep/partitions.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { anEmptyDatabase, type Database } from '../support/database.ts'

const databases: Database[] = []
const pools: Db[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
  await Promise.all(databases.splice(0).map((database) => database.drop()))
})

async function empty(): Promise<string> {
  const database = await anEmptyDatabase()
  databases.push(database)
  return database.url
}

function open(url: string): Db {
  const db = openDb({ url, poolSize: 2, name: 'test', log: silentLog })
  pools.push(db)
  return db
}

/** Runs SQL past our own pool, with the defaults of the database. */
async function plain(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = (await client.query(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

const nameOf = (url: string): string => new URL(url).pathname.slice(1)

const ODD: readonly (readonly [string, string])[] = [
  ['timezone', `'Europe/Berlin'`],
  ['datestyle', `'SQL, DMY'`],
  ['intervalstyle', `'sql_standard'`],
  ['bytea_output', `'escape'`],
  ['extra_float_digits', '-15'],
  ['default_transaction_isolation', `'serializable'`],
  ['search_path', `'elsewhere'`],
]

test('a task runs and is read as everywhere in a database whose defaults are all odd', async () => {
  const url = await empty()
  await plain(url, ...ODD.map(([name, value]) => `alter database ${nameOf(url)} set ${name} = ${value}`))
  await migrate(url, [])
  const db = open(url)
  const life = await aLife(db)
  const task = aTask({ payload: '{"precise": 0.1234567890123456789, "same": 1, "same": 2}' })

  await accept(db, [task], 0, 'test')
  const [claim] = await claimTasks(db, life, [
    { id: task.id, attempt: 1, deadlineMs: 1_000, publishedAt: 1_700_000_000_123 },
  ])
  const end = { id: task.id, attempt: 1, name: task.name, client: task.client, next: 'SUCCESS', result: '7' } as const
  expect(await settleTasks(db, life, [end])).toEqual(['settled'])

  expect(claim).toMatchObject({ kind: 'claimed', task: { waitedSeconds: expect.any(Number) } })
  const read = await readTask(db, 'everybody', task.id, 60_000)
  expect(read).toMatchObject({ status: 'SUCCESS', result: 7, createdAt: expect.any(Date) })
  expect(Math.abs(Date.now() - Number(read?.createdAt))).toBeLessThan(60_000)
  const [stored] = await db.query<{ payload: string }>({ text: 'select payload::text as payload from task' })
  expect(stored?.payload).toBe(task.payload)
})

test.for(['Europe/Berlin', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'Pacific/Apia'])(
  'days are those of UTC and follow one another without a gap for a year, also in %s',
  async (zone) => {
    const url = await empty()
    await plain(url, `alter database ${nameOf(url)} set timezone = '${zone}'`)
    await migrate(url, [])

    await plain(
      url,
      'drop table nightshift.task, nightshift.finished, nightshift.attempt cascade',
      ...['task', 'finished', 'attempt'].map(
        (name) => `create table nightshift.${name} (id uuid primary key) partition by range (id)`,
      ),
      `select nightshift.ensure_partitions('2026-01-01 00:00+00', '2026-12-31 00:00+00')`,
    )

    const bounds = `
      select count(*)::int as days,
             count(*) filter (where upper <> next)::int as gaps
        from (select split_part(bound, '''', 4) as upper, lead(split_part(bound, '''', 2), 1, split_part(bound, '''', 4))
                       over (order by split_part(bound, '''', 2)) as next
                from (select pg_get_expr(relpartbound, oid) as bound from pg_class
                       where relispartition and relkind = 'r' and relname like 'task%') b) days`
    expect(await plain(url, bounds)).toEqual([{ days: 365, gaps: 0 }])
  },
)

test('a reader of a long transaction does not keep a partition from being made, nor what is accepted meanwhile', async () => {
  const url = await empty()
  await migrate(url, [])
  const db = open(url)
  const reader = new Client({ connectionString: url })
  await reader.connect()
  try {
    await reader.query('begin')
    await reader.query('select count(*) from nightshift.task, nightshift.finished, nightshift.attempt')
    const last = `task_${new Date(Date.now() + 8 * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}`
    // A partition that the reader has not locked: it begins after it was dropped.
    await reader.query('rollback')
    await plain(url, `drop table nightshift.${last}`)
    await reader.query('begin')
    await reader.query('select count(*) from nightshift.task, nightshift.finished, nightshift.attempt')

    expect(await ensurePartitions(db)).toBe(1)
    expect(await accept(db, [aTask()], 0, 'test')).toMatchObject([{ kind: 'accepted' }])
  } finally {
    await reader.end()
  }
})

test('the schema of 0.1 is refused in one sentence and left as it is', async () => {
  const url = await empty()
  await plain(url, 'create table schema_migration (id int)', 'create table unfinished (task_id uuid)')

  await expect(migrate(url, [])).rejects.toThrow(
    /^this database has the tables of Nightshift 0\.1 .* use a new database$/,
  )

  expect(await plain(url, `select count(*)::int as made from pg_namespace where nspname = 'nightshift'`)).toEqual([
    { made: 0 },
  ])
})

test('a database that cannot hold every text is refused, with the fix', async () => {
  const url = await empty()
  const latin = `${nameOf(url)}_latin`
  const other = new URL(url)
  other.pathname = latin
  await plain(url, `create database ${latin} encoding 'LATIN1' locale 'C' template template0`)
  try {
    await expect(migrate(other.href, [])).rejects.toThrow(/encoding of this database is LATIN1.*encoding 'UTF8'/)
  } finally {
    await plain(url, `drop database ${latin}`)
  }
})

test('two databases of one server are migrated at the same moment, each an installation of its own', async () => {
  const urls = await Promise.all([empty(), empty(), empty()])

  await Promise.all(urls.map((url) => migrate(url, [])))

  const ids = await Promise.all(urls.map((url) => readInstallation(open(url))))
  expect(new Set(ids).size).toBe(3)
  await migrate(urls[0] as string, [])
  expect(await readInstallation(open(urls[0] as string))).toBe(ids[0])
})
