/**
 * A consumer's life: one row, renewed by the database's clock. An expired lease is never renewed; the process begins
 * another life with another id, so whatever the old one still does is fenced.
 */
import type { Queryable } from '../db.ts'
import { bool, neverNull, statement, theRow, uuids } from '../statement.ts'

const BEGIN = statement({
  name: 'begin_life',
  text: `insert into consumer (id, name, version, queues, lease_until, tasks)
         values ($1, $2, $3, $4::jsonb, clock_timestamp() + $5::int * interval '1 s', $6)`,
  row: {},
})

export interface Life {
  readonly id: string
  readonly name: string
  readonly version: string
  /** Queue to slots. */
  readonly queues: ReadonlyMap<string, number>
  readonly leaseSeconds: number
  /** The task types it can run. */
  readonly tasks: readonly string[]
}

/** Begins a life with a full lease. Repeating it after a lost answer fails on the primary key: take a new id. */
export async function beginLife(db: Queryable, life: Life): Promise<void> {
  const queues = JSON.stringify(Object.fromEntries(life.queues))
  await db.query(BEGIN, [life.id, life.name, life.version, queues, life.leaseSeconds, life.tasks])
}

/** $1 the life, $2 seconds of a lease, $3 what it has in flight, $4 what it has begun, $5 when the newest was offered. */
const RENEW = statement({
  name: 'renew_lease',
  text: `
    with held as materialized (
      select h.id, u.queue, u.started_at
        from json_to_recordset($3::json) as h(id uuid, attempt int)
        left join lateral (
          select queue, started_at from unfinished u
           where u.task_id = h.id and u.attempt = h.attempt and u.holder = $1 and u.status = 'RUNNING' offset 0) u on true
    ), renewed as (
      update consumer
         set lease_until = clock_timestamp() + $2::int * interval '1 s', begun = $4::jsonb, newest_offered = $5::jsonb,
             running = (select coalesce(jsonb_object_agg(queue, attempts), '{}')
                          from (select queue, count(*) as attempts from held where queue is not null group by queue) q),
             running_since = (select min(started_at) from held)
       where id = $1 and ended_at is null and lease_until > clock_timestamp()
      returning id
    )
    select exists (select from renewed) as "isAlive", array(select id from held where queue is null) as lost`,
  row: { isAlive: neverNull(bool()), lost: neverNull(uuids()) },
})

export interface Held {
  /** The attempts in flight. */
  readonly inFlight: readonly { readonly id: string; readonly attempt: number }[]
  /** How many attempts this life has begun, by queue. */
  readonly begun: ReadonlyMap<string, number>
  /** When the newest task that it has begun was offered, milliseconds since 1970, by queue. */
  readonly newestOffered: ReadonlyMap<string, number>
}

/**
 * Renews the lease, tells what this life has begun, notes which of those in flight run by the table, and says which are
 * no longer this consumer's (cancelled, or taken back). An attempt whose settle is under way may be named too.
 */
export async function renewLease(
  db: Queryable,
  id: string,
  leaseSeconds: number,
  { inFlight, begun, newestOffered }: Held,
): Promise<{ isAlive: boolean; lost: string[] }> {
  const newest = [...newestOffered].map(([queue, ms]) => [queue, new Date(ms)])
  const told = [inFlight, Object.fromEntries(begun), Object.fromEntries(newest)].map((value) => JSON.stringify(value))
  return theRow(await db.query(RENEW, [id, leaseSeconds, ...told]))
}
