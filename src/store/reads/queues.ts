/** Reads how much waits and runs in each queue. */
import type { Queryable } from '../db.ts'
import { float, int, neverNull, nullable, type RowOf, statement, text } from '../statement.ts'

/** Counting stops here, so that the answer takes milliseconds whatever the backlog. */
const COUNT_CAP = 100_000

const QUEUES = statement({
  name: 'queue_health',
  text: `
    select queue, count(*) filter (where status = 'PENDING')::int as pending,
           count(*) filter (where status = 'RUNNING')::int as running,
           count(*) filter (where status = 'RETRYING')::int as retrying,
           extract(epoch from clock_timestamp() - min(due_at) filter (where status <> 'RUNNING'
             and due_at <= clock_timestamp()))::float8 as "oldestDueSeconds"
      from (select queue, status, due_at from unfinished limit ${COUNT_CAP}) counted
     group by queue order by queue`,
  row: {
    queue: text(),
    pending: neverNull(int()),
    running: neverNull(int()),
    retrying: neverNull(int()),
    oldestDueSeconds: nullable(float()),
  },
})

export type QueueHealth = RowOf<typeof QUEUES>

/** Counts unfinished tasks per queue, over at most 100 000 of them. */
export async function queueHealth(db: Queryable): Promise<QueueHealth[]> {
  return db.query(QUEUES)
}

const OLDEST = statement({
  name: 'oldest_waiting',
  text: `
    select q.queue, greatest(0, coalesce(extract(epoch from clock_timestamp() - (
             select u.offered_at from unfinished u where u.queue = q.queue and u.status <> 'RUNNING'
              order by u.offered_at limit 1)), 0))::float8 as seconds
      from unnest($1::text[]) as q(queue)`,
  row: { queue: neverNull(text()), seconds: neverNull(float()) },
})

/** Tells for each queue for how many seconds its longest waiting due task has waited since it was last offered; 0 when none waits. */
export async function oldestWaiting(
  db: Queryable,
  queues: readonly string[],
): Promise<readonly { readonly queue: string; readonly seconds: number }[]> {
  return db.query(OLDEST, [queues])
}

/** A life that is over but not yet judged still holds its attempts, so it counts until they are taken back. */
const RUNNING = statement({
  name: 'running_by_queue',
  text: `
    select queue, sum(attempts::int)::int as running
      from consumer, jsonb_each_text(running) as r(queue, attempts)
     where ended_at is null
     group by queue`,
  row: { queue: neverNull(text()), running: neverNull(int()) },
})

/** Counts the attempts under way by queue; a queue without any is not in the map. */
export async function runningByQueue(db: Queryable): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query(RUNNING)
  return new Map(rows.map(({ queue, running }) => [queue, running]))
}

/** Counting stops here: at this depth the place in the queue changes faster than anybody can read it. */
const AHEAD_CAP = 20_000

const AHEAD = statement({
  name: 'ahead',
  text: `
    select count(*)::int as ahead from (
      select from unfinished other
        join unfinished mine on mine.task_id = $1 and mine.status <> 'RUNNING' and mine.due_at <= statement_timestamp()
       where other.queue = mine.queue and other.offered_at < mine.offered_at and other.status <> 'RUNNING'
       limit ${AHEAD_CAP}) counted`,
  row: { ahead: neverNull(int()) },
})

/** Counts the tasks of the same queue that wait and were offered before this one; undefined when there are too many. */
export async function tasksAhead(db: Queryable, id: string): Promise<number | undefined> {
  const ahead = (await db.query(AHEAD, [id]))[0]?.ahead ?? 0
  return ahead < AHEAD_CAP ? ahead : undefined
}
