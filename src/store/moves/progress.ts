/** Writes how far a running attempt is, fenced as its end is. */
import type { Queryable } from '../db.ts'
import { statement } from '../statement.ts'

const PROGRESS = statement({
  name: 'progress',
  text: `update unfinished set progress = $4::json
          where task_id = $1 and attempt = $2 and holder = $3 and status = 'RUNNING'`,
  row: {},
})

/** Writes how far a running attempt is; nothing happens when the attempt is no longer this consumer's. */
export async function writeProgress(
  db: Queryable,
  { id, attempt }: { id: string; attempt: number },
  consumer: string,
  progress: string,
): Promise<void> {
  await db.query(PROGRESS, [id, attempt, consumer, progress])
}
