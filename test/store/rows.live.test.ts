// Promise: what the code takes a row for is what PostgreSQL returns. Every statement of the store is prepared against the
// migrated schema; the names and types of its columns must be those written beside it, and no column that can be null is
// taken for one that cannot, unless the code vouches for it where the schema cannot tell.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STATUSES } from '../../src/core/states.ts'
import type { Db, Queryable } from '../../src/store/db.ts'
import { groupDeadLetters, listDeadLetters } from '../../src/store/reads/dead-letters.ts'
import { listTasks } from '../../src/store/reads/tasks.ts'
import { bigint, type Column, float, int, neverNull, nullable, statements, text } from '../../src/store/statement.ts'
import { aDatabase, type Database, sqlUrl } from '../support/database.ts'

const STORE = fileURLToPath(new URL('../../src/store', import.meta.url))
const files = readdirSync(STORE, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
for (const path of files) await import(`${STORE}/${path}`)

type Row = Readonly<Record<string, Column<unknown>>>
interface Returned {
  readonly name: string
  readonly tableID: number
  readonly columnID: number
  readonly dataTypeID: number
}

let database: Database
let client: Client
beforeAll(async () => {
  database = await aDatabase()
  client = new Client({ connectionString: sqlUrl(database.url) })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await database.drop()
})

/** Has PostgreSQL parse and describe a statement, without running it. */
function describeRow(sql: string): Promise<Returned[]> {
  return new Promise((resolve, reject) => {
    let fields: Returned[] = []
    client.query({
      submit(wire: Wire) {
        wire.parse({ text: sql })
        wire.describe({ type: 'S', name: '' })
        wire.sync()
      },
      handleRowDescription(message: { fields: Returned[] }) {
        fields = message.fields
      },
      handleError: reject,
      handleReadyForQuery: () => resolve(fields),
    } as never)
  })
}

interface Wire {
  parse(query: { text: string }): void
  describe(what: { type: string; name: string }): void
  sync(): void
}

/** Tables whose columns an outer join can make null. A derived table counts by the tables that it reads. */
function outerJoined(sql: string): (table: string) => boolean {
  if (/\b(?:right|full)\s+(?:outer\s+)?join\b/i.test(sql)) return () => true
  const joined = [...sql.matchAll(/\bleft\s+(?:outer\s+)?join\s+(?:lateral\s*\([\s\S]*?\bfrom\s+)?(\w+)/gi)]
  return (table) => joined.some(([, name]) => name === table)
}

/** What is wrong with the row that is written beside a statement; empty when nothing is. */
async function faultsOf({ text: sql, row }: { text: string; row: object }): Promise<string[]> {
  const written = row as Row
  const returned = await describeRow(sql)
  const { rows: known } = await client.query<{ oid: number; typname: string }>(
    'select oid::int, typname from pg_type where oid = any($1)',
    [returned.map((each) => each.dataTypeID)],
  )
  const types = new Map(known.map(({ oid, typname }) => [oid, typname]))
  const isOuter = outerJoined(sql)
  const faults = Object.keys(written)
    .filter((name) => !returned.some((each) => each.name === name))
    .map((name) => `${name} is written, and not returned`)
  for (const { name, tableID, columnID, dataTypeID } of returned) {
    const column = written[name]
    if (column === undefined) {
      faults.push(`${name} is returned, and not written`)
      continue
    }
    const type = types.get(dataTypeID)
    if (type !== column.type) faults.push(`${name} is ${type}, and written as ${column.type}`)
    const { rows: origins } = await client.query<{ table: string; isNotNull: boolean }>(
      `select attrelid::regclass::text as table, attnotnull as "isNotNull" from pg_attribute
        where attrelid = $1 and attnum = $2`,
      [tableID, columnID],
    )
    const origin = origins[0]
    const isSure = origin?.isNotNull === true && !isOuter(origin.table)
    if (isSure && column.isNullable) faults.push(`${name} is never null, and written as nullable`)
    if (isSure && column.isVouchedFor) faults.push(`${name} is never null by the schema: nobody need vouch for it`)
    if (!isSure && !column.isNullable && !column.isVouchedFor) {
      faults.push(`${name} can be null for all the schema tells, and is written as never null`)
    }
  }
  return faults
}

test('statements are found', () => {
  expect(statements.length).toBeGreaterThan(50)
})

test.each(statements.map((each) => [(each as { name?: string }).name ?? each.text.trim().slice(0, 60), each] as const))(
  '%s',
  async (_name, each) => {
    expect(await faultsOf(each)).toEqual([])
  },
)

test('no two statements share a name', () => {
  const names = statements.flatMap((each) => (each as { name?: string }).name ?? [])

  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

test('no query of the store says its row by itself', () => {
  const own = /\.(?:query|raw)<(?!Row>)|\b(?:db|reader)\.query\(\{ (?!\.\.\.)/
  const by = files.filter((path) => own.test(readFileSync(`${STORE}/${path}`, 'utf8')))

  // What holds the name of a partition or of a pack's schema cannot be prepared beforehand.
  expect(by.sort()).toEqual(['migrate.ts', 'upkeep/partitions.ts'])
})

test('a list that is filtered by everything is one that PostgreSQL understands, and returns the row of the whole list', async () => {
  const asked: { text: string; row: object }[] = []
  const query = async (each: (typeof asked)[number]): Promise<[]> => {
    asked.push(each)
    return []
  }
  const remember = { query } as unknown as Queryable
  const db = {
    ...remember,
    transaction: (work: (db: unknown) => unknown) => work({ ...remember, raw: () => undefined }),
  }
  const at = new Date()
  const letters = {
    name: 'n',
    queue: 'q',
    client: 'c',
    fingerprint: 'f',
    reason: 'r',
    failedAfter: at,
    failedBefore: at,
  }
  const tasks = {
    name: 'n',
    queue: 'q',
    requestId: 'r',
    userId: 'u',
    tag: 't',
    errorFingerprint: 'f',
    createdAfter: at,
  }

  await listDeadLetters(remember, letters, 1)
  await groupDeadLetters(remember, letters)
  for (const status of STATUSES) {
    const page = { limit: 1, before: undefined, resultTtlMs: 1 }
    await listTasks(db as unknown as Db, { client: 'c' }, { ...tasks, createdBefore: at, status }, page)
  }

  expect(asked).toHaveLength(2 + STATUSES.length)
  for (const each of asked) expect(await faultsOf(each)).toEqual([])
})

describe('the comparison finds', () => {
  const OUTBOX = 'select id, queue from outbox'

  test.each([
    ['a column of another name', OUTBOX, { id: bigint(), name: text() }],
    ['a column too few', OUTBOX, { id: bigint() }],
    ['a number where a bigint comes as text', OUTBOX, { id: int(), queue: text() }],
    ['a numeric, which comes as text', 'select 1.5 as half', { half: neverNull(float()) }],
    ['null where the column has it', 'select user_id from task', { user_id: text() }],
    [
      'null where an outer join has it',
      'select o.id, u.queue from outbox o left join unfinished u on u.task_id = o.task_id',
      { id: bigint(), queue: text() },
    ],
    ['an expression that nobody vouches for', 'select max(tries) as most from outbox', { most: int() }],
    ['a null that never comes', OUTBOX, { id: bigint(), queue: nullable(text()) }],
    ['a column of the row that nobody need vouch for', OUTBOX, { id: bigint(), queue: neverNull(text()) }],
  ])('%s', async (_what, sql, row) => {
    expect(await faultsOf({ text: sql, row })).not.toEqual([])
  })

  test('nothing where all is right', async () => {
    expect(await faultsOf({ text: OUTBOX, row: { id: bigint(), queue: text() } })).toEqual([])
  })
})
