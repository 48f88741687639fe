/** What the commands share: their answer on standard output, a database for as long as they run, moments as options. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { type Db, openDb } from '../store/db.ts'

/** Adds a command to the program. Nothing is read, loaded or connected to before the command runs. */
export type Define = (nightshift: Command) => void

/** Every command that answers a question takes it. */
export const asJson = (): Option => new Option('--json', 'print JSON, for programs')

/** Writes what a command answers. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Writes an answer as JSON. Dates become ISO 8601 in UTC. */
export function sayJson(answer: unknown): void {
  say(JSON.stringify(answer, undefined, 2))
}

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
 * Reads a moment: ISO 8601, or how long ago, such as `2h`.
 * @throws InvalidArgumentError
 */
export function readMoment(text: string): Date {
  const ago = /^(\d{1,9})(s|m|h|d)$/.exec(text)
  if (ago) {
    const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as 's' | 'm' | 'h' | 'd']
    return new Date(Date.now() - Number(ago[1]) * unitMs)
  }
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new InvalidArgumentError('Give a time such as 2026-01-31T03:00:00Z, or how long ago, such as 2h.')
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
