// Promise: to claim and to settle tasks, PostgreSQL reads these tasks and no others, whatever its planner believes. A table
// that was empty when it was last vacuumed looks empty to it, however many wait in it now.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { type Connection, type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { type Settlement, settleTasks } from '../../src/store/moves/settle.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

const OTHERS = 3_000
const BATCH = 20

let database: Database
let db: Db
let consumer: string
beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 1, name: 'test', log: silentLog, isByKey: true })
  consumer = await aLife(db)
  await db.transaction(async ({ raw }) => {
    await raw('alter table unfinished set (autovacuum_enabled = false)')
    await raw(
      `insert into unfinished (task_id, queue, status, due_at, offered_at)
       select gen_random_uuid(), 'trial', 'PENDING', now(), now() from generate_series(1, $1::int)`,
      [OTHERS],
    )
    await raw(`update pg_class set reltuples = 0, relpages = 50 where oid = 'unfinished'::regclass`)
  })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

/** Rows of `unfinished` that this transaction has read so far, by index or by reading the table. */
async function rowsRead({ raw }: Connection): Promise<number> {
  const { rows } = await raw<{ read: string }>(
    `select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables where relname = 'unfinished'`,
  )
  return Number(rows[0]?.read)
}

const ENDS: Readonly<
  Record<string, (end: { id: string; attempt: number; name: string; client: string }) => Settlement>
> = {
  'a success': (end) => ({ ...end, next: 'SUCCESS', result: '1' }),
  'a failure to be tried again': (end) => ({
    ...end,
    next: 'RETRYING',
    error: { name: 'Error', message: 'no luck' },
    fingerprint: 'f',
    delayMs: 0,
    onRung: false,
  }),
}

test.each(Object.entries(ENDS))('a batch is claimed and settled as %s by its keys alone', async (_name, endOf) => {
  const tasks = Array.from({ length: BATCH }, () => aTask())
  await accept(db, tasks, 0, 'test')

  const read = await db.transaction(async (connection) => {
    const wanted = tasks.map(({ id }) => ({ id, attempt: 1, deadlineMs: 60_000, publishedAt: undefined }))
    const claims = await claimTasks(connection, consumer, wanted)
    expect(claims.map(({ kind }) => kind)).toEqual(tasks.map(() => 'claimed'))
    const ends = tasks.map(({ id, name, client }) => endOf({ id, attempt: 1, name, client }))
    expect(await settleTasks(connection, consumer, ends)).toEqual(tasks.map(() => 'settled'))
    return rowsRead(connection)
  })

  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThan(OTHERS / 5)
})

test('why tasks cannot be claimed is looked up by their keys alone', async () => {
  const tasks = Array.from({ length: BATCH }, () => aTask())
  await accept(db, tasks, 0, 'test')
  const wanted = tasks.map(({ id }) => ({ id, attempt: 2, deadlineMs: 60_000, publishedAt: undefined }))

  const read = await db.transaction(async (connection) => {
    const claims = await claimTasks(connection, consumer, wanted)
    expect(claims.map(({ kind }) => kind)).toEqual(tasks.map(() => 'nothing'))
    return rowsRead(connection)
  })

  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThan(OTHERS / 5)
})
