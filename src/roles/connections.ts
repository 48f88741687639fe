/** How many PostgreSQL connections a process of each role opens, pool by pool. */

/** Accepting has connections of its own: neither reads nor the relay's work can make a 202 wait. */
export const ACCEPT_POOL = 2
/** The lease, and claims and settles, so that neither can be kept waiting by a handler's transaction. */
export const LEASE_POOL = 1
export const CLAIMS_POOL = 3

/** Counts the most that one process of each role opens. @param dbPool the setting DB_POOL */
export function connectionsOf(dbPool: number): { readonly api: number; readonly consumer: number } {
  return { api: ACCEPT_POOL + dbPool, consumer: LEASE_POOL + CLAIMS_POOL + dbPool }
}
