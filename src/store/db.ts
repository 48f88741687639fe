/**
 * The only door of pg: connections that always answer or fail in bounded time, and what PostgreSQL's errors mean.
 * A frozen server answers neither errors nor statement timeouts, so the client's own timeouts are set too.
 */
import pg from 'pg'
import { isOutage } from '../core/database-errors.ts'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Statement } from './statement.ts'

export interface Queryable {
  query<Row>(statement: Statement<Row>, values?: readonly unknown[]): Promise<Row[]>
}

export interface Connection extends Queryable {
  /** Runs plain SQL from a handler. */
  raw<Row>(sql: string, values?: readonly unknown[]): Promise<{ rows: Row[]; rowCount: number }>
}

export interface Db extends Queryable {
  /**
   * Runs `work` in a transaction on one connection: commits when it resolves, rolls back when it throws.
   * When the commit's answer is lost the error is an outage (see `isOutage`) and the outcome is unknown.
   * Transactions beyond the pool wait their turn, however long it takes.
   *
   * @param signal when it aborts the connection is cut, and with it whatever the transaction waits for
   */
  transaction<Result>(work: (connection: Connection) => Promise<Result>, signal?: AbortSignal): Promise<Result>
  close(): Promise<void>
}

export interface DbOptions {
  readonly url: string
  readonly poolSize: number
  readonly name: string
  readonly log: Log
  /** The pool's name in metrics; without one it is not in them. */
  readonly label?: string
  /** How long one query may take before it fails, on the client's side too; default 5 s, 0 for no limit. */
  readonly queryTimeoutMs?: number
  /** Every statement of this pool finds its rows by their keys; default false. */
  readonly isByKey?: boolean
  /** Whose statements it runs: those of handlers find tables of the schema `public` too; default `platform`. */
  readonly runs?: keyof typeof SEARCH_PATH
}

const CONNECT_TIMEOUT_MS = 2_000
const IDLE_IN_TRANSACTION_MS = 60_000
const CONNECT_LIMIT = { query_timeout: CONNECT_TIMEOUT_MS }

/**
 * What every connection says of itself before its first use, because a database or a role may have other defaults, and
 * what we read and write must not depend on them. Not as start-up parameters: a pooler such as PgBouncer refuses those.
 * Compiling a statement took 70-235 ms at each call, running it 1 ms, so nothing is compiled.
 */
const PINNED = `
  set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
  set standard_conforming_strings = on; set extra_float_digits = 1; set xmloption = content;
  set default_transaction_isolation = 'read committed'; set jit = off;`

/**
 * The planner takes a batch for 100 rows and a table that has just filled for an empty one, and reads it whole: by index
 * a claim of 24 tasks took 0.95 ms instead of 4.05. Planned anew for its values each time, it took half as long again.
 */
const BY_KEY = `
  set plan_cache_mode = force_generic_plan;
  set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;`

/** Handlers may name the tables of their own service, which often lie in `public`. */
const SEARCH_PATH = { platform: 'nightshift', handlers: 'nightshift, public' }

function settingsOf({ queryTimeoutMs = 5_000, isByKey = false, runs = 'platform' }: DbOptions): string {
  return `${PINNED} set search_path = ${SEARCH_PATH[runs]}; set statement_timeout = ${queryTimeoutMs};
    set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}; ${isByKey ? BY_KEY : ''}`
}

/** Opens a pool. Connections are made when first needed, so this neither waits nor fails. */
export function openDb(dbOptions: DbOptions): Db {
  const { url, poolSize, name, log, label, queryTimeoutMs = 5_000 } = dbOptions
  const options: pg.PoolConfig & { onConnect(client: pg.ClientBase): Promise<unknown> } = {
    connectionString: url,
    max: poolSize,
    application_name: `nightshift ${name}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(queryTimeoutMs === 0 ? {} : { query_timeout: queryTimeoutMs }),
    keepAlive: true,
    // With a limit of its own: a pool without one would wait for a frozen server for ever.
    onConnect: (client) => client.query({ text: settingsOf(dbOptions), ...CONNECT_LIMIT }),
  }
  const pool = new pg.Pool(options)
  // Without a listener the end of an idle connection would end the process.
  pool.on('error', (error) => log.warn({ error: error.message }, 'an idle database connection ended'))
  // So would that of one in use; whoever uses it is told by its query.
  pool.on('connect', (client) => void client.on('error', () => undefined))

  const turns = createTurns(poolSize)
  const forget = label === undefined ? undefined : whenAsked(() => showPool(label, pool, turns.waiting))

  return {
    async query<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row[]> {
      const client = await pool.connect()
      let broken: Error | undefined
      try {
        const result = await client.query({ ...statement, values: [...values] })
        return result.rows as Row[]
      } catch (error) {
        // What PostgreSQL refused leaves the connection as it was.
        broken = (error as { severity?: string }).severity === 'ERROR' ? undefined : (error as Error)
        throw error
      } finally {
        client.release(broken)
      }
    },
    async transaction(work, signal) {
      const giveTurnBack = await turns.take(signal)
      const client = await pool.connect().catch((error: unknown) => {
        giveTurnBack()
        throw error
      })
      // Ending a client that waits for an answer destroys its socket.
      const cut = (): void => void (client as pg.PoolClient & { end(): Promise<void> }).end().catch(() => undefined)
      signal?.addEventListener('abort', cut, { once: true })
      let broken: Error | undefined
      try {
        await client.query('begin')
        const result = await work(connectionOf(client))
        await client.query('commit')
        return result
      } catch (error) {
        broken = isOutage(error) ? (error as Error) : undefined
        if (!broken) {
          await client.query('rollback').catch((failed: Error) => {
            broken = failed
          })
        }
        throw error
      } finally {
        signal?.removeEventListener('abort', cut)
        client.release(signal?.aborted ? true : broken)
        giveTurnBack()
      }
    },
    async close() {
      forget?.()
      await pool.end()
    },
  }
}

function showPool(pool: string, { totalCount, idleCount, waitingCount }: pg.Pool, turnsWaiting: number): void {
  metrics.dbConnections.set({ pool, state: 'busy' }, totalCount - idleCount)
  metrics.dbConnections.set({ pool, state: 'idle' }, idleCount)
  metrics.dbWaiting.set({ pool }, waitingCount + turnsWaiting)
}

interface Turns {
  /** How many wait. */
  readonly waiting: number
  /** Waits for one of the turns, and resolves with the function that gives it back. Rejects when the signal aborts. */
  take(signal: AbortSignal | undefined): Promise<() => void>
}

/** Lets at most `most` through at once, in order, so that waiting for a busy pool is not mistaken for an outage. */
function createTurns(most: number): Turns {
  const waiting: (() => void)[] = []
  let taken = 0
  const giveBack = (): void => {
    taken -= 1
    waiting.shift()?.()
  }
  return {
    get waiting() {
      return waiting.length
    },
    take: (signal) =>
      new Promise((resolve, reject) => {
        const go = (): void => {
          signal?.removeEventListener('abort', giveUp)
          taken += 1
          resolve(giveBack)
        }
        const giveUp = (): void => {
          waiting.splice(waiting.indexOf(go), 1)
          reject(signal?.reason)
        }
        if (signal?.aborted) reject(signal.reason)
        else if (taken < most) go()
        else {
          signal?.addEventListener('abort', giveUp, { once: true })
          waiting.push(go)
        }
      }),
  }
}

function connectionOf(client: pg.ClientBase): Connection {
  return {
    async query<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row[]> {
      const result = await client.query({ ...statement, values: [...values] })
      return result.rows as Row[]
    },
    async raw<Row>(sql: string, values: readonly unknown[] = []) {
      const result = await client.query(sql, [...values])
      return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 }
    },
  }
}
