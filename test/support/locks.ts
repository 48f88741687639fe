// Tells when a statement waits for a lock, so that a test can let go of it at that moment.
import type { Db } from '../../src/store/db.ts'
import { until } from './until.ts'

const WAITING = `
  select count(*)::int as waiting from pg_stat_activity
   where datname = current_database() and wait_event_type = 'Lock'`

/** Waits until so many connections of this database wait for locks. */
export async function untilLocked(db: Db, connections = 1): Promise<void> {
  await until(`${connections} connections to wait for locks`, async () => {
    const [row] = await db.query<{ waiting: number }>({ text: WAITING })
    return row?.waiting === connections
  })
}
