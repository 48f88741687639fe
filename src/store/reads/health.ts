/** What the health calls and gauges ask of the database. */
import type { Queryable } from '../db.ts'

const PING = { name: 'ping', text: 'select clock_timestamp() as now' }

/** Asks the database for its time; fails within the query timeout when it is away. */
export async function databaseTime(db: Queryable): Promise<Date> {
  return (await db.query<{ now: Date }>(PING))[0]?.now as Date
}

export interface QueueHealth {
  readonly queue: string
  readonly pending: number
  readonly running: number
  readonly retrying: number
  readonly oldestDueSeconds: number | null
}

/** Counting stops here, so that the answer takes milliseconds whatever the backlog. */
const COUNT_CAP = 100_000

const QUEUES = {
  name: 'queue_health',
  text: `
    select queue, count(*) filter (where status = 'PENDING')::int as pending,
           count(*) filter (where status = 'RUNNING')::int as running,
           count(*) filter (where status = 'RETRYING')::int as retrying,
           extract(epoch from clock_timestamp() - min(due_at) filter (where status <> 'RUNNING'
             and due_at <= clock_timestamp()))::float8 as "oldestDueSeconds"
      from (select queue, status, due_at from unfinished limit ${COUNT_CAP}) counted
     group by queue order by queue`,
}

/** Counts unfinished tasks per queue, over at most 100 000 of them. */
export async function queueHealth(db: Queryable): Promise<QueueHealth[]> {
  return db.query<QueueHealth>(QUEUES)
}

const OLDEST = {
  name: 'oldest_waiting',
  text: `
    select q.queue, greatest(0, coalesce(extract(epoch from clock_timestamp() - (
             select u.offered_at from unfinished u where u.queue = q.queue and u.status <> 'RUNNING'
              order by u.offered_at limit 1)), 0))::float8 as seconds
      from unnest($1::text[]) as q(queue)`,
}

/** Tells for each queue for how many seconds its longest waiting due task has waited since it was last offered; 0 when none waits. */
export async function oldestWaiting(
  db: Queryable,
  queues: readonly string[],
): Promise<readonly { readonly queue: string; readonly seconds: number }[]> {
  return db.query(OLDEST, [queues])
}

const CONSUMERS = {
  name: 'consumers_alive',
  text: `select id, name, version, queues, started_at as "startedAt",
                extract(epoch from lease_until - clock_timestamp())::float8 as "leaseSeconds"
           from consumer where ended_at is null and lease_until > clock_timestamp() order by name, id`,
}

export interface ConsumerView {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly queues: Readonly<Record<string, number>>
  readonly startedAt: Date
  readonly leaseSeconds: number
}

/** Lists the consumers whose lease is alive. */
export async function consumersAlive(db: Queryable): Promise<ConsumerView[]> {
  return db.query<ConsumerView>(CONSUMERS)
}

const DEAD_LETTERS = { name: 'dead_letter_count', text: 'select count(*)::int as letters from dead_letter' }

/** Counts the dead letters. */
export async function countDeadLetters(db: Queryable): Promise<number> {
  return (await db.query<{ letters: number }>(DEAD_LETTERS))[0]?.letters ?? 0
}
