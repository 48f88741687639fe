// Promise: a pack's tables stand in a schema of its own, with a list of its own migrations there; a process of a deployment
// with packs is ready, or takes tasks, only when the packs are migrated too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { migrate, missingMigrations } from '../../src/store/migrate.ts'
import { aVhost } from '../support/broker.ts'
import { aConversation } from '../support/conversations.ts'
import { anEmptyDatabase } from '../support/database.ts'
import { aNightshift, call, finished, submit } from '../support/nightshift.ts'
import { PACKS } from '../support/packs.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { until } from '../support/until.ts'

failOnLeftovers()

/** An empty database, and SQL for it. */
async function emptyDatabase() {
  const database = await anEmptyDatabase()
  const pool = new pg.Pool({ connectionString: database.url, max: 1 })
  pool.on('error', () => undefined)
  onTestFinished(async () => {
    await pool.end()
    await database.drop()
  })
  const query = async (text: string): Promise<unknown[]> => (await pool.query(text)).rows
  return {
    url: database.url,
    query,
    db: {
      query: async <Row>(statement: pg.QueryConfig, values: readonly unknown[] = []) =>
        (await pool.query(statement, [...values])).rows as Row[],
    },
  }
}

/** A pack with one table more in each file. */
function aPackSchema(name: string, files: number) {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-pack-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (let n = 1; n <= files; n++)
    writeFileSync(join(folder, `000${n}_t${n}.sql`), `-- Up Migration\ncreate table t${n} ();\n`)
  return { name, folder }
}

test('migrating makes the tables of each pack in its own schema, and again only what is new', async () => {
  const { url, query, db } = await emptyDatabase()
  const [mail, shop] = [aPackSchema('mail', 1), aPackSchema('shop', 2)]
  const lines: string[] = []

  await migrate(url, [mail])
  expect(await missingMigrations(db, [mail, shop])).toEqual(['shop/0002_t2'])
  await migrate(url, [mail, shop], (line) => lines.push(line))

  expect(lines).toEqual(['applied shop/0001_t1', 'applied shop/0002_t2'])
  expect(await missingMigrations(db, [mail, shop])).toEqual([])
  expect(
    await query(`select schemaname || '.' || tablename as name from pg_tables
                  where schemaname in ('mail', 'shop') or tablename in ('t1', 't2') order by 1`),
  ).toEqual(
    ['mail.schema_migration', 'mail.t1', 'shop.schema_migration', 'shop.t1', 'shop.t2'].map((name) => ({ name })),
  )
  expect(await query('select name from mail.schema_migration')).toEqual([{ name: '0001_t1' }])
})

test('a database of which only the platform is migrated has no table of a pack, and lacks it', async () => {
  const { url, query, db } = await emptyDatabase()

  await migrate(url, [])

  expect(await missingMigrations(db, [])).toEqual([])
  expect(await missingMigrations(db, PACKS.schemas)).toEqual(['conversation/0001_tables'])
  expect(await query(`select from pg_tables where tablename in ('conversation', 'friendship_status')`)).toEqual([])
})

test('api and consumer wait for the schema of a pack as for their own', async () => {
  const { url } = await emptyDatabase()
  await migrate(url, [])
  const vhost = await aVhost()
  onTestFinished(() => vhost.drop())
  const nightshift = await aNightshift({ databaseUrl: url, amqpUrl: vhost.url })
  onTestFinished(() => nightshift.remove())
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer({}, { subscribed: false })
  const isReady = async () => (await call(api, 'GET', '/health/ready')).status === 200

  expect(await isReady()).toBe(false)
  const id = await submit(api, { name: 'conversation.ended', payload: aConversation(1) })
  await consumer.waitForLog(({ error }) => String(error).includes('the schema lacks conversation/0001_tables'))
  await migrate(url, PACKS.schemas)
  await until('the api to be ready', isReady)

  expect(await finished(api, id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  for (const each of [api, consumer]) each.kill('SIGTERM')
  await Promise.all([api.exit, consumer.exit])
})
