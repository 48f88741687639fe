/** Reads what failed for good: one by one, in groups of the same error, and how many. */

import { Conditions } from '../conditions.ts'
import type { Queryable } from '../db.ts'

export interface DeadLetterFilter {
  readonly name?: string
  readonly queue?: string
  readonly client?: string
  readonly fingerprint?: string
  readonly reason?: string
  readonly failedAfter?: Date
  readonly failedBefore?: Date
}

export interface DeadLetterView {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly client: string
  readonly failedAt: Date
  readonly reason: string
  readonly error: { name: string; message: string; stack?: string }
  readonly fingerprint: string
}

function conditionsOf(filter: DeadLetterFilter): Conditions {
  const where = new Conditions()
  where.add('name = ?', filter.name)
  where.add('queue = ?', filter.queue)
  where.add('client = ?', filter.client)
  where.add('fingerprint = ?', filter.fingerprint)
  where.add('reason = ?', filter.reason)
  where.add('failed_at > ?', filter.failedAfter)
  where.add('failed_at <= ?', filter.failedBefore)
  return where
}

/** Lists dead letters, oldest failure first, at most `limit`. */
export async function listDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter,
  limit: number,
): Promise<DeadLetterView[]> {
  const where = conditionsOf(filter)
  const text = `select task_id as id, name, queue, client, failed_at as "failedAt", reason, error, fingerprint
                  from dead_letter where ${where.text} order by failed_at, task_id limit ${where.value(limit)}`
  return db.query<DeadLetterView>({ text }, where.values)
}

export interface DeadLetterGroup {
  readonly fingerprint: string
  readonly tasks: number
  readonly name: string
  readonly error: string
  readonly oldest: Date
  readonly newest: Date
}

/** Groups dead letters by task and error, the largest group first. */
export async function groupDeadLetters(db: Queryable, filter: DeadLetterFilter): Promise<DeadLetterGroup[]> {
  const where = conditionsOf(filter)
  const text = `select fingerprint, name, count(*)::int as tasks, min(failed_at) as oldest, max(failed_at) as newest,
                       min((error->>'name') || ': ' || (error->>'message')) as error
                  from dead_letter where ${where.text}
                 group by fingerprint, name order by tasks desc, fingerprint`
  return db.query<DeadLetterGroup>({ text }, where.values)
}

const DEAD_LETTERS = { name: 'dead_letter_count', text: 'select count(*)::int as letters from dead_letter' }

/** Counts the dead letters. */
export async function countDeadLetters(db: Queryable): Promise<number> {
  return (await db.query<{ letters: number }>(DEAD_LETTERS))[0]?.letters ?? 0
}
