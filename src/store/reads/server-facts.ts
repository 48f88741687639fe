/** What the PostgreSQL server says of itself: how safe a commit is, how many connections there are. */
import type { Queryable } from '../db.ts'
import { bool, int, neverNull, type RowOf, statement, text, theRow } from '../statement.ts'

/** Of the sessions of other roles a role without rights sees neither the kind nor the name of the application. */
const FACTS = statement({
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
  row: {
    /** Such as 150020. */
    versionNumber: neverNull(int()),
    version: neverNull(text()),
    fsync: neverNull(text()),
    fullPageWrites: neverNull(text()),
    /** As a session of this role in this database has it. */
    synchronousCommit: neverNull(text()),
    hasStandbys: neverNull(bool()),
    /** What our role may have in this database: the least of all limits, without what is reserved for others. */
    connections: neverNull(int()),
    /** Connections in use by others than Nightshift. */
    othersConnections: neverNull(int()),
  },
})

export type ServerFacts = RowOf<typeof FACTS>

/** Reads what the server says of itself. */
export async function serverFacts(db: Queryable): Promise<ServerFacts> {
  return theRow(await db.query(FACTS))
}
