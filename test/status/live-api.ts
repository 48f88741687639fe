// The real API on a real database of its own; no relay and no consumer, so tasks stay where the test puts them.
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { createCommits, type FastPath } from '../../src/gateway/commit.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { repeatsAmong } from '../../src/store/moves/repeats.ts'
import { createIdClock } from '../../src/store/task-ids.ts'
import { type AnApi, type ApiOptions, anApi } from '../http/an-api.ts'
import { aDatabase, sqlUrl } from '../support/database.ts'
import { PACKS } from '../support/packs.ts'

export interface LiveApiOptions extends Pick<ApiOptions, 'callers' | 'contracts' | 'broker'> {
  /** Makes an id in place of the clock's. */
  readonly newId?: (newId: () => string) => string
}

export interface LiveApi {
  readonly api: AnApi
  readonly db: Db
  readonly databaseUrl: string
  /** A second api on the same database, as another process would be. */
  another(): Promise<AnApi>
  count(table: string): Promise<number>
  /** The stored payloads, oldest first. */
  payloads(): Promise<unknown[]>
  /** Plain SQL, to put tasks into the state that a test is about. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
}

/** A relay without room: every row is left to the sweep, which does not run here. */
const noRelay: FastPath = { reserve: () => 0, publish: async () => [], release: () => undefined }

/** Starts it; everything is gone when the test ends. */
export async function liveApi(options: LiveApiOptions = {}): Promise<LiveApi> {
  const database = await aDatabase()
  onTestFinished(() => database.drop())
  const contracts = options.contracts ?? PACKS.contracts
  const clock = createIdClock()

  async function start(): Promise<{ api: AnApi; db: Db }> {
    const db = openDb({ url: database.url, poolSize: 5, name: 'test api', log: silentLog })
    onTestFinished(() => db.close())
    const { newId = (make) => make(), ...rest } = options
    const commits = createCommits({
      db,
      fastPath: noRelay,
      name: 'test api',
      clientLabel: () => 'other',
      waitsForConfirm: false,
      log: silentLog,
    })
    const api = await anApi({
      ...rest,
      db,
      contracts,
      commits,
      repeatsAmong: (tasks) => repeatsAmong(db, tasks),
      newId: () => newId(clock.newId),
    })
    return { api, db }
  }

  const { api, db } = await start()
  const sql = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: sqlUrl(database.url) })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows as Record<string, unknown>[]
    } finally {
      await client.end()
    }
  }
  return {
    api,
    db,
    databaseUrl: database.url,
    another: async () => (await start()).api,
    sql,
    count: async (table) => (await sql(`select count(*)::int as rows from ${table}`))[0]?.rows as number,
    payloads: async () => (await sql('select payload from task order by created_at, id')).map(({ payload }) => payload),
  }
}
