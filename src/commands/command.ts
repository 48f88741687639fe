/** What the commands share: a database for as long as they run, and moments and numbers as options. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { SINCE_RULE, type Since, sinceOf } from '../core/since.ts'
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { type Db, openDb } from '../store/db.ts'

/** Adds a command to the program. Nothing is read, loaded or connected to before the command runs. */
export type Define = (nightshift: Command) => void

/** Every command that answers a question takes it. */
export const asJson = (): Option => new Option('--json', 'print JSON, for programs')

export interface DatabaseOptions {
  /** What the connection is called in pg_stat_activity. */
  readonly name: string
  readonly queryTimeoutMs?: number
  readonly poolSize?: number
}

/**
 * Runs `work` with the database of DATABASE_URL and closes it afterwards.
 * @throws ConfigError when DATABASE_URL is not set or wrong
 */
export async function withDatabase<Result>(
  { name, queryTimeoutMs, poolSize = 1 }: DatabaseOptions,
  work: (db: Db) => Promise<Result>,
): Promise<Result> {
  const { databaseUrl: url } = readConfig(process.env, ['databaseUrl'])
  const limit = queryTimeoutMs === undefined ? {} : { queryTimeoutMs }
  const db = openDb({ url, poolSize, name, log: silentLog, ...limit })
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

/**
 * Reads since when something is asked for.
 * @throws InvalidArgumentError naming the fix
 */
export function readSince(text: string): Since {
  const since = sinceOf(text)
  if (since) return since
  throw new InvalidArgumentError(`It ${SINCE_RULE}.`)
}

/**
 * Makes a reader of whole numbers.
 * @throws InvalidArgumentError naming the bounds
 */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
  }
}
