/** Who asks for how much: one row per client and task in ten seconds. */
import type { Queryable } from '../db.ts'
import { float, neverNull, type RowOf, statement, text, time } from '../statement.ts'

export interface Burst {
  /** The beginning of the ten seconds. */
  readonly at: Date
  readonly client: string
  readonly task: string
  readonly accepted: number
  readonly refused: number
}

const ADD = statement({
  name: 'add_bursts',
  text: `
    insert into burst (at, client, task, accepted, refused)
    select at, client, task, accepted, refused
      from jsonb_to_recordset($1::jsonb) as b(at timestamptz, client text, task text, accepted bigint, refused bigint)
     order by at, client, task
    on conflict (at, client, task) do update
      set accepted = burst.accepted + excluded.accepted, refused = burst.refused + excluded.refused`,
  row: {},
})

/** Adds counts to what is there, from this process and others. */
export async function addBursts(db: Queryable, bursts: readonly Burst[]): Promise<void> {
  await db.query(ADD, [JSON.stringify(bursts)])
}

const READ = statement({
  name: 'read_bursts',
  text: `
    select client, task, sum(accepted)::float8 as accepted, sum(refused)::float8 as refused,
           max(accepted + refused)::float8 as peak,
           (array_agg(at order by accepted + refused desc, at))[1] as "peakAt", min(at) as first, max(at) as last
      from burst where at >= $1
     group by client, task order by sum(accepted + refused) desc, client, task limit $2`,
  row: {
    client: text(),
    task: text(),
    accepted: neverNull(float()),
    refused: neverNull(float()),
    /** The largest number of requests in ten seconds, and when that was. */
    peak: neverNull(float()),
    peakAt: neverNull(time()),
    first: neverNull(time()),
    last: neverNull(time()),
  },
})

export type BurstSum = RowOf<typeof READ>

/** Sums up who asked for how much since a moment, the largest first. */
export async function readBursts(db: Queryable, since: Date, atMost: number): Promise<BurstSum[]> {
  return db.query(READ, [since, atMost])
}

const FORGET = statement({
  name: 'forget_bursts',
  text: `delete from burst where at < statement_timestamp() - interval '1 day'`,
  row: {},
})

/** Forgets what is older than a day. */
export async function forgetBursts(db: Queryable): Promise<void> {
  await db.query(FORGET)
}
