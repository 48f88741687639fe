/**
 * Claims and settles never wait for a row that another transaction holds: one held row would hold up a whole batch. They
 * wait for it a moment, because most are let go at once, and then go again without the rows that are held.
 */
import { sqlState } from '../../core/database-errors.ts'

const LOCK_NOT_AVAILABLE = '55P03'

/** In the select list of a CTE that a write joins: within this transaction a lock is waited for no longer. */
export const SHORT_LOCK_WAIT = `set_config('lock_timeout', '100ms', true)`

/** Runs `first`; when it has waited too long for a lock, `skipping` in its place, which leaves out what is held. */
export async function withoutWaiting<Result>(
  first: () => Promise<Result>,
  skipping: () => Promise<Result>,
): Promise<Result> {
  try {
    return await first()
  } catch (error) {
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error
    return skipping()
  }
}
