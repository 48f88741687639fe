/** Reads on behalf of somebody: as the role that sees only what row-level security shows of that client's tasks. */
import pg from 'pg'
import type { Viewer } from '../core/caller.ts'
import type { Db, Queryable } from './db.ts'

/**
 * Runs reads in one transaction as the viewer. Role and settings end with the transaction, so nothing of them is left
 * on the connection; the three are one round trip.
 */
export async function asViewer<Result>(
  db: Db,
  viewer: Viewer,
  read: (connection: Queryable) => Promise<Result>,
): Promise<Result> {
  const setting =
    viewer === 'everybody' ? "nightshift.sees_all = 'on'" : `nightshift.client = ${pg.escapeLiteral(viewer.client)}`
  return db.transaction(async (connection) => {
    await connection.raw(`set local role nightshift_reader; set local ${setting}`)
    return read(connection)
  })
}
