/**
 * Keeps the partitions of days: made ahead, dropped when they are older than TASK_RETENTION. Unfinished tasks are never
 * removed: their rows move into the partition that replaces the dropped one.
 */
import type { Connection, Db, Queryable } from '../db.ts'
import { int, neverNull, statement, text } from '../statement.ts'

const ENSURE = statement({
  name: 'ensure_partitions',
  text: `select ensure_partitions(clock_timestamp() - interval '1 day', clock_timestamp() + interval '8 days') as made`,
  row: { made: neverNull(int()) },
})

/** Makes sure that partitions exist from yesterday to 8 days ahead, and says how many were made. */
export async function ensurePartitions(db: Queryable): Promise<number> {
  return (await db.query(ENSURE))[0]?.made ?? 0
}

const PARTITIONS = statement({
  name: 'partitions_ahead',
  text: `
    select min(ahead)::int as ahead
      from unnest(array['task', 'finished', 'attempt']) as parents(parent)
      cross join lateral (
        select coalesce(max(to_date(right(c.relname, 8), 'YYYYMMDD')) - (clock_timestamp() at time zone 'UTC')::date, -1)
               as ahead
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = to_regclass(parent) and c.relname ~ '_[0-9]{8}$') newest`,
  row: { ahead: neverNull(int()) },
})

/** Counts the whole days (UTC) after today that every partitioned table has partitions for; -1: not even today. */
export async function partitionsAhead(db: Queryable): Promise<number> {
  return (await db.query(PARTITIONS))[0]?.ahead ?? -1
}

const OLD_PARTITIONS = statement({
  name: 'old_partitions',
  text: `
    select to_char(day, 'YYYYMMDD') as day
      from (
        select to_timestamp(substring(c.relname from 6), 'YYYYMMDD')::date as day
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = to_regclass('task') and c.relname ~ '^task_[0-9]{8}$'
      ) partitions
     where day + 1 < (clock_timestamp() at time zone 'UTC' - $1::bigint * interval '1 ms')::date
     order by day`,
  row: { day: neverNull(text()) },
})

/**
 * Drops the oldest partitions whose days lie wholly before the retention; tasks that are not finished move into the
 * partitions that take their place. Each day is one transaction that gives up rather than wait long for a lock.
 *
 * @returns the days dropped, as YYYYMMDD
 */
export async function dropOldPartitions(db: Db, retentionMs: number): Promise<string[]> {
  const dropped: string[] = []
  for (const { day } of await db.query(OLD_PARTITIONS, [retentionMs])) {
    if (await db.transaction((connection) => dropDay(connection, day))) dropped.push(day)
  }
  return dropped
}

const PARTITIONED = [
  ['task', 'id'],
  ['attempt', 'task_id'],
  ['finished', 'task_id'],
] as const

/** `day` comes from the catalogue and matches YYYYMMDD, so it may stand in identifiers. */
async function dropDay(connection: Connection, day: string): Promise<boolean> {
  if (!/^\d{8}$/.test(day)) throw new RangeError(`"${day}" is not a day`)
  await connection.raw("set local lock_timeout = '2s'")
  await connection.raw("set local statement_timeout = '60s'")
  // Locked before looking, so that no redrive brings a task of this day back while it is being dropped.
  await connection.raw('lock table task, attempt, finished in access exclusive mode')
  const { rows } = await connection.raw<{ kept: boolean; old: boolean }>(
    `select exists (select from task_${day} t join unfinished u on u.task_id = t.id) as kept,
            exists (select from task_${day} t left join unfinished u on u.task_id = t.id where u.task_id is null) as old`,
  )
  const { kept, old } = rows[0] as { kept: boolean; old: boolean }
  if (kept && !old) return false
  for (const table of ['dead_letter', 'operation']) {
    await connection.raw(`delete from ${table} x using task_${day} t where x.task_id = t.id
      and not exists (select from unfinished u where u.task_id = t.id)`)
  }
  for (const [parent, key] of PARTITIONED) {
    const partition = `${parent}_${day}`
    await connection.raw(`alter table ${parent} detach partition ${partition}`)
    if (kept) {
      await connection.raw(`alter table ${partition} rename to ${partition}_old`)
      await connection.raw(`create table ${partition} partition of ${parent} for values
        from (id_floor(timestamptz '${day} 00:00+00')) to (id_floor(timestamptz '${day} 00:00+00' + interval '1 day'))`)
      await connection.raw(`insert into ${partition} select old.* from ${partition}_old old
        where exists (select from unfinished u where u.task_id = old.${key})`)
    }
    await connection.raw(`drop table ${partition}${kept ? '_old' : ''}`)
  }
  return true
}
