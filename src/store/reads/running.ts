/**
 * How much runs, as the consumers' leases tell it: as old as their last renewal, three tenths of a lease. Counting it from
 * the tasks would read every waiting one.
 */
import type { Queryable } from '../db.ts'

/** A life that is over but not yet judged still holds its attempts, so it counts until they are taken back. */
const RUNNING = {
  name: 'running_by_queue',
  text: `
    select queue, sum(attempts::int)::int as running
      from consumer, jsonb_each_text(running) as r(queue, attempts)
     where ended_at is null
     group by queue`,
}

/** Counts the attempts under way by queue; a queue without any is not in the map. */
export async function runningByQueue(db: Queryable): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query<{ queue: string; running: number }>(RUNNING)
  return new Map(rows.map(({ queue, running }) => [queue, running]))
}

export interface Busy {
  /** The consumer's name; in Kubernetes its pod's. */
  readonly name: string
  /** Changes when the process begins another life. */
  readonly life: string
  readonly running: number
  /** How long the oldest attempt has been running, in milliseconds; 0 when there is none. */
  readonly oldestMs: number
}

const BUSY = {
  name: 'busy_consumers',
  text: `
    select name, id as life,
           (select coalesce(sum(attempts::int), 0)::int from jsonb_each_text(running) as r(queue, attempts)) as running,
           coalesce(extract(epoch from clock_timestamp() - running_since) * 1000, 0)::float8 as "oldestMs"
      from consumer
     where ended_at is null and lease_until > clock_timestamp()
     order by name, started_at`,
}

/** Tells of each living consumer how busy it is, the newest life of a name last. */
export async function busyConsumers(db: Queryable): Promise<Busy[]> {
  return db.query<Busy>(BUSY)
}
