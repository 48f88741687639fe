/** What the doctor asks of the PostgreSQL server: how safe a commit is, how many connections there are, what is ahead. */
import type { Queryable } from '../db.ts'
import { API_GONE_SECONDS } from './load.ts'

export interface ServerFacts {
  /** Such as 150020. */
  readonly versionNumber: number
  readonly version: string
  readonly fsync: string
  readonly fullPageWrites: string
  /** As a session of this role in this database has it. */
  readonly synchronousCommit: string
  readonly hasStandbys: boolean
  /** What our role may have in this database: the least of all limits, without what is reserved for others. */
  readonly connections: number
  /** Connections in use by others than Nightshift. */
  readonly othersConnections: number
}

/** Of the sessions of other roles a role without rights sees neither the kind nor the name of the application. */
const FACTS = {
  name: 'server_facts',
  text: `
    select current_setting('server_version_num')::int as "versionNumber", current_setting('server_version') as version,
           current_setting('fsync') as fsync, current_setting('full_page_writes') as "fullPageWrites",
           current_setting('synchronous_commit') as "synchronousCommit",
           current_setting('synchronous_standby_names') <> '' as "hasStandbys",
           (select min(most) from (
              select current_setting('max_connections')::int
                     - case when r.rolsuper then 0 else current_setting('superuser_reserved_connections')::int
                       + coalesce(current_setting('reserved_connections', true)::int, 0) end as most
                from pg_roles r where r.rolname = current_user
              union all select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user
              union all select nullif(datconnlimit, -1) from pg_database where datname = current_database()
            ) limits)::int as connections,
           (select count(*) from pg_stat_activity
             where (backend_type = 'client backend' or backend_type is null and datid is not null)
               and coalesce(application_name, '') not like 'nightshift %')::int
             as "othersConnections"`,
}

/** Reads what the server says of itself. */
export async function serverFacts(db: Queryable): Promise<ServerFacts> {
  return (await db.query<ServerFacts>(FACTS))[0] as ServerFacts
}

const PARTITIONS = {
  name: 'partitions_ahead',
  text: `
    select min(ahead)::int as ahead
      from unnest(array['task', 'finished', 'attempt']) as parents(parent)
      cross join lateral (
        select coalesce(max(to_date(right(c.relname, 8), 'YYYYMMDD')) - (clock_timestamp() at time zone 'UTC')::date, -1)
               as ahead
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = to_regclass(parent) and c.relname ~ '_[0-9]{8}$') newest`,
}

/** Counts the whole days (UTC) after today that every partitioned table has partitions for; -1: not even today. */
export async function partitionsAhead(db: Queryable): Promise<number> {
  return (await db.query<{ ahead: number }>(PARTITIONS))[0]?.ahead ?? -1
}

const APIS = {
  name: 'apis_alive',
  text: `select count(*)::int as apis from api_process where seen_at > statement_timestamp() - interval '${API_GONE_SECONDS} s'`,
}

/** Counts the api processes that live; one that was killed counts until it is gone for the others too. */
export async function apisAlive(db: Queryable): Promise<number> {
  return (await db.query<{ apis: number }>(APIS))[0]?.apis ?? 0
}
