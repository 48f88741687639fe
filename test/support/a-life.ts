// Begins consumer lives for tests that speak to the store directly.
import { v4 } from 'uuid'
import type { Db } from '../../src/store/db.ts'
import { beginLife, type Life } from '../../src/store/moves/lease.ts'

/** Begins a life with a minute of lease, with what is said changed, and returns its id. */
export async function aLife(db: Db, change: Partial<Life> = {}): Promise<string> {
  const id = v4()
  const queues = new Map([['trial', 1]])
  await beginLife(db, { id, name: 'test', version: '0', queues, leaseSeconds: 60, tasks: [], ...change })
  return id
}
