/** Reads which consumers live, and how busy they are. */
import type { Queryable } from '../db.ts'

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
