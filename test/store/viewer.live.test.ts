// Promise: a query that forgets its condition still shows nobody another client's tasks.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Viewer } from '../../src/core/caller.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { asViewer } from '../../src/store/viewer.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

let database: Database
let db: Db
beforeEach(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 2, name: 'test', log: silentLog })
  await accept(db, [aTask({ client: 'ours' }), aTask({ client: 'theirs' }), aTask({ client: "o'hara" })], 0, 'test')
})
afterEach(async () => {
  await db.close()
  await database.drop()
})

const everyRow = (viewer: Viewer, table: string) =>
  asViewer(db, viewer, (reader) => reader.query<{ client: string }>({ text: `select * from ${table}` }))

const VIEWERS: { viewer: Viewer; sees: string[] }[] = [
  { viewer: { client: 'ours' }, sees: ['ours'] },
  { viewer: { client: "o'hara" }, sees: ["o'hara"] },
  { viewer: { client: "x' or 'a'='a" }, sees: [] },
  { viewer: { client: '' }, sees: [] },
  { viewer: 'everybody', sees: ["o'hara", 'ours', 'theirs'] },
]

test.each(VIEWERS)('$viewer sees $sees', async ({ viewer, sees }) => {
  expect((await everyRow(viewer, 'task')).map(({ client }) => client).sort()).toEqual(sees)
  expect(await everyRow(viewer, 'unfinished')).toHaveLength(sees.length)
})

test('what one viewer could see is forgotten on the connection that the next one gets', async () => {
  const single = openDb({ url: database.url, poolSize: 1, name: 'test', log: silentLog })
  const role = { text: `select current_user::text as name, current_setting('nightshift.sees_all', true) as all` }
  const before = await single.query(role)
  await asViewer(single, 'everybody', (reader) => reader.query({ text: 'select from task' }))

  expect(await single.query<{ name: string }>(role)).toEqual(before.map((row) => ({ ...(row as object), all: '' })))
  await single.close()
})

test('a viewer can write nothing and read no secrets', async () => {
  const attempts = [
    'delete from task',
    `update unfinished set status = 'PENDING'`,
    `insert into operation (actor, action, task_id, request_id) values ('x', 'cancel', gen_random_uuid(), 'x')`,
    'select * from api_key',
    'select * from outbox',
    'select * from idempotency',
  ]
  for (const text of attempts) {
    await expect(
      asViewer(db, 'everybody', (reader) => reader.query({ text })),
      text,
    ).rejects.toMatchObject({ code: '42501' })
  }
})

test('every table that a viewer may read is under row-level security, but for the consumers', async () => {
  const open = await db.query({
    text: `select c.relname as name from pg_class c
            where has_table_privilege('nightshift_reader', c.oid, 'select') and c.relkind in ('r', 'p')
              and c.relnamespace = 'nightshift'::regnamespace and not c.relrowsecurity`,
  })
  expect(open).toEqual([{ name: 'consumer' }])
})
