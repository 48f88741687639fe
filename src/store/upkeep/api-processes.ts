/** What api processes know of each other, and of the consumers' pace: each signs in once a second. */
import type { Queryable } from '../db.ts'
import { int, jsonb, neverNull, statement } from '../statement.ts'

/** What a consumer wrote down when it last renewed its lease. */
export interface LifeReport {
  /** Attempts begun so far, by queue. */
  readonly begun: ReadonlyMap<string, number>
  /** When the life began, in milliseconds of the database's clock. */
  readonly bornAt: number
  /** When it wrote this, later by the length of a lease: differences are right, and a first pace is never too high. */
  readonly writtenAt: number
}

/** As it stands in the table: by the names of queues, which may be those of what every object has. */
type Written = Omit<LifeReport, 'begun'> & { readonly begun: Readonly<Record<string, number>> }

export interface Load {
  /** By consumer life, of those that live. */
  readonly lives: ReadonlyMap<string, LifeReport>
  /** Api processes alive, this one included: 1 or more. */
  readonly replicas: number
}

/** A process that looks once a second, and waits 3 s for a silent broker each time, is gone after so many seconds. */
const API_GONE_SECONDS = 10

/**
 * $1 this process, $2 its name. Signs in, and reads what the others have written. A lease is always extended by the
 * same time, so its end tells the moments of writing apart as well as these themselves would.
 */
const LOAD = statement({
  name: 'load',
  text: `
    with me as (
      insert into api_process (id, name, seen_at) values ($1, $2, statement_timestamp())
      on conflict (id) do update set seen_at = excluded.seen_at
    ), gone as (
      delete from api_process where seen_at < statement_timestamp() - interval '1 hour'
    )
    select (select count(*) from api_process
             where seen_at > statement_timestamp() - interval '${API_GONE_SECONDS} s' and id <> $1)::int + 1 as replicas,
           (select coalesce(jsonb_object_agg(id, jsonb_build_object(
                     'begun', begun,
                     'bornAt', extract(epoch from started_at) * 1000,
                     'writtenAt', extract(epoch from lease_until) * 1000)), '{}')
              from consumer where ended_at is null and lease_until > statement_timestamp()) as lives`,
  row: { replicas: neverNull(int()), lives: neverNull(jsonb<Readonly<Record<string, Written>>>()) },
})

/** Signs this process in and reads the load. */
export async function readLoad(db: Queryable, id: string, name: string): Promise<Load> {
  const rows = await db.query(LOAD, [id, name])
  const row = rows[0] as (typeof rows)[number]
  const lives = Object.entries(row.lives).map(
    ([life, { begun, ...report }]) => [life, { ...report, begun: new Map(Object.entries(begun)) }] as const,
  )
  return { replicas: row.replicas, lives: new Map(lives) }
}

const SIGN_OUT = statement({ name: 'sign_out', text: 'delete from api_process where id = $1', row: {} })

/** Signs this process out, so that the others take its share at once. */
export async function signOut(db: Queryable, id: string): Promise<void> {
  await db.query(SIGN_OUT, [id])
}

const APIS = statement({
  name: 'apis_alive',
  text: `select count(*)::int as apis from api_process where seen_at > statement_timestamp() - interval '${API_GONE_SECONDS} s'`,
  row: { apis: neverNull(int()) },
})

/** Counts the api processes that live; one that was killed counts until it is gone for the others too. */
export async function apisAlive(db: Queryable): Promise<number> {
  return (await db.query(APIS))[0]?.apis ?? 0
}
