/** Reads which consumers live, and how busy they are. */
import type { Queryable } from '../db.ts'
import { float, int, jsonb, neverNull, type RowOf, statement, text, time, uuid } from '../statement.ts'

const CONSUMERS = statement({
  name: 'consumers_alive',
  text: `select id, name, version, queues, started_at as "startedAt",
                extract(epoch from lease_until - clock_timestamp())::float8 as "leaseSeconds"
           from consumer where ended_at is null and lease_until > clock_timestamp() order by name, id`,
  row: {
    id: uuid(),
    name: text(),
    version: text(),
    queues: jsonb<Readonly<Record<string, number>>>(),
    startedAt: time(),
    leaseSeconds: neverNull(float()),
  },
})

export type ConsumerView = RowOf<typeof CONSUMERS>

/** Lists the consumers whose lease is alive. */
export async function consumersAlive(db: Queryable): Promise<ConsumerView[]> {
  return db.query(CONSUMERS)
}

const BUSY = statement({
  name: 'busy_consumers',
  text: `
    select name, id as life,
           (select coalesce(sum(attempts::int), 0)::int from jsonb_each_text(running) as r(queue, attempts)) as running,
           coalesce(extract(epoch from clock_timestamp() - running_since) * 1000, 0)::float8 as "oldestMs"
      from consumer
     where ended_at is null and lease_until > clock_timestamp()
     order by name, started_at`,
  row: {
    /** The consumer's name; in Kubernetes its pod's. */
    name: text(),
    /** Changes when the process begins another life. */
    life: uuid(),
    running: neverNull(int()),
    /** How long the oldest attempt has been running, in milliseconds; 0 when there is none. */
    oldestMs: neverNull(float()),
  },
})

export type Busy = RowOf<typeof BUSY>

/** Tells of each living consumer how busy it is, the newest life of a name last. */
export async function busyConsumers(db: Queryable): Promise<Busy[]> {
  return db.query(BUSY)
}
