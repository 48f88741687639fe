/** Reads what failed for good: one by one, in groups of the same error, and how many. */

import type { Failure } from '../../core/failure.ts'
import type { FailureReason } from '../../core/states.ts'
import { Conditions } from '../conditions.ts'
import type { Queryable } from '../db.ts'
import { int, jsonb, neverNull, type RowOf, statement, text, time, uuid } from '../statement.ts'

export interface DeadLetterFilter {
  readonly name?: string
  readonly queue?: string
  readonly client?: string
  readonly fingerprint?: string
  readonly reason?: string
  readonly failedAfter?: Date
  readonly failedBefore?: Date
}

const LETTERS = statement({
  text: `select task_id as id, name, queue, client, failed_at as "failedAt", reason, error, fingerprint from dead_letter`,
  row: {
    id: uuid(),
    name: text(),
    queue: text(),
    client: text(),
    failedAt: time(),
    reason: text<FailureReason>(),
    error: jsonb<Failure>(),
    fingerprint: text(),
  },
})

export type DeadLetterView = RowOf<typeof LETTERS>

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
  const list = `${LETTERS.text} where ${where.text} order by failed_at, task_id limit ${where.value(limit)}`
  return db.query({ ...LETTERS, text: list }, where.values)
}

const groupsWhere = (condition: string): string => `
  select fingerprint, name, count(*)::int as tasks, min(failed_at) as oldest, max(failed_at) as newest,
         min((error->>'name') || ': ' || (error->>'message')) as error
    from dead_letter where ${condition}
   group by fingerprint, name order by tasks desc, fingerprint`

const GROUPS = statement({
  text: groupsWhere('true'),
  row: {
    fingerprint: text(),
    name: text(),
    tasks: neverNull(int()),
    oldest: neverNull(time()),
    newest: neverNull(time()),
    error: neverNull(text()),
  },
})

export type DeadLetterGroup = RowOf<typeof GROUPS>

/** Groups dead letters by task and error, the largest group first. */
export async function groupDeadLetters(db: Queryable, filter: DeadLetterFilter): Promise<DeadLetterGroup[]> {
  const where = conditionsOf(filter)
  return db.query({ ...GROUPS, text: groupsWhere(where.text) }, where.values)
}

const DEAD_LETTERS = statement({
  name: 'dead_letter_count',
  text: 'select count(*)::int as letters from dead_letter',
  row: { letters: neverNull(int()) },
})

/** Counts the dead letters. */
export async function countDeadLetters(db: Queryable): Promise<number> {
  return (await db.query(DEAD_LETTERS))[0]?.letters ?? 0
}
