/** Messages that could not be understood are kept to be looked at. */
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'

const UNREADABLE = statement({
  name: 'unreadable_message',
  text: 'insert into unreadable_message (queue, reason, body) values ($1, $2, $3)',
  row: {},
})

/** Keeps the reason and the first 4 KiB of a message that could not be understood. */
export async function recordUnreadable(db: Queryable, queue: string, reason: string, body: Buffer): Promise<void> {
  await db.query(UNREADABLE, [queue, reason, body.subarray(0, 4_096)])
}
