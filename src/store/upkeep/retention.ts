/** Forgets what is old: results after RESULT_TTL, idempotency keys after a day, ended consumer lives after TASK_RETENTION. */
import type { Queryable } from '../db.ts'
import { int, neverNull, statement } from '../statement.ts'

const FORGET_RESULTS = statement({
  name: 'forget_results',
  text: `
    update finished set result = null
     where task_id in (
       select task_id from finished
        where finished_at < statement_timestamp() - $1::bigint * interval '1 ms' and result is not null limit $2)
    returning 1 as one`,
  row: { one: neverNull(int()) },
})

/** Removes results that can no longer be read, at most `atMost`, and says how many. */
export async function forgetResults(db: Queryable, resultTtlMs: number, atMost: number): Promise<number> {
  return (await db.query(FORGET_RESULTS, [resultTtlMs, atMost])).length
}

const FORGET_KEYS = statement({
  name: 'forget_keys',
  text: `
    delete from idempotency where (client, key) in (
      select client, key from idempotency where expires_at < statement_timestamp()
       order by client, key limit $1 for update skip locked)
    returning 1 as one`,
  row: { one: neverNull(int()) },
})

/** Removes idempotency keys that no longer hold, at most `atMost`, and says how many. */
export async function forgetKeys(db: Queryable, atMost: number): Promise<number> {
  return (await db.query(FORGET_KEYS, [atMost])).length
}

const FORGET_LIVES = statement({
  name: 'forget_lives',
  text: `delete from consumer where ended_at < statement_timestamp() - $1::bigint * interval '1 ms' returning 1 as one`,
  row: { one: neverNull(int()) },
})

/** Removes consumer lives that ended before the retention. */
export async function forgetLives(db: Queryable, retentionMs: number): Promise<number> {
  return (await db.query(FORGET_LIVES, [retentionMs])).length
}
