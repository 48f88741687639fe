/**
 * Finds the tasks that an id of any kind leads to, and reads the facts about them that the sentence why is made of. What
 * is not a task's own (the outbox, consumers, who else sent tasks) no viewer may read as such: it is read as the owner,
 * and only about tasks that the viewer was shown before.
 */
import { isUuid } from '../../core/uuid.ts'
import type { Db, Queryable } from '../db.ts'
import type { Absence } from '../upkeep/absences.ts'
import { asViewer, type Viewer } from '../viewer.ts'

export const FOUND_BY = ['request_id', 'operation', 'task_id', 'trace_id', 'idempotency_key'] as const
export type FoundBy = (typeof FOUND_BY)[number]

export interface Found {
  /** Newest first; tasks that the viewer may not see can be among those found by a key. */
  readonly ids: readonly string[]
  readonly by: readonly FoundBy[]
  readonly more: boolean
}

/** Reads all matches before it sorts them: the other way round the planner may walk the primary key in search of one. */
const FIND = {
  name: 'find_story',
  text: `
    with found as materialized (
      select id, 'request_id' as by from task where request_id = $1
      union all select task_id, 'operation' from operation where request_id = $1
      union all select id, 'task_id' from task where id = $2::uuid
      union all select id, 'trace_id' from task where trace_id = $3
    )
    select id, array_agg(distinct by) as by from found group by id order by id desc limit $4`,
}

/** One step from client to client in the primary key, because it begins with the client. $1 keys, $2 client or null. */
const FIND_BY_KEY = {
  name: 'find_story_by_key',
  text: `
    with recursive clients as (
      (select client from idempotency where $2::text is null or client = $2 order by client limit 1)
      union all
      select (select i.client from idempotency i where i.client > c.client order by i.client limit 1)
        from clients c where c.client is not null and $2::text is null
    )
    select i.task_id as id
      from clients c cross join lateral (
        select task_id from idempotency where client = c.client and key = any($1::text[])) i
     order by id desc limit $3`,
}

const TRACE_ID = /^[0-9a-f]{32}$/i

/**
 * Finds tasks by request id (of the request that submitted, cancelled or redrove them), task id or trace id; by
 * idempotency key only when nothing else fits.
 *
 * @param keys the forms in which `id` may stand in the table of idempotency keys
 * @param atMost the newest so many
 */
export async function findTasks(
  db: Db,
  viewer: Viewer,
  id: string,
  keys: readonly string[],
  atMost: number,
): Promise<Found> {
  const values = [id, isUuid(id.toLowerCase()) ? id : null, TRACE_ID.test(id) ? id.toLowerCase() : null, atMost + 1]
  const rows = await asViewer(db, viewer, (reader) => reader.query<{ id: string; by: FoundBy[] }>(FIND, values))
  if (rows.length > 0) {
    const by = new Set(rows.flatMap((row) => row.by))
    const ids = rows.slice(0, atMost).map((row) => row.id)
    return { ids, by: FOUND_BY.filter((each) => by.has(each)), more: rows.length > atMost }
  }
  const client = viewer === 'everybody' ? null : viewer.client
  const byKey = await db.query<{ id: string }>(FIND_BY_KEY, [keys, client, atMost])
  return { ids: byKey.map((row) => row.id), by: byKey.length > 0 ? ['idempotency_key'] : [], more: false }
}

export interface Stand {
  readonly id: string
  readonly acceptedBy: string | null
  readonly idempotencyKey: string | null
  /** How many waited in its queue when it was accepted. */
  readonly ahead: number | null
  readonly runAt: Date | null
  /** The consumer that runs it now, and until when it may. */
  readonly holder: string | null
  readonly holderVersion: string | null
  readonly deadlineAt: Date | null
  readonly publishedAt: Date | null
  readonly reoffers: number | null
}

/** Reads how the tasks came in and, of those that are not finished, how they stand. */
export async function readStands(db: Db, viewer: Viewer, ids: readonly string[]): Promise<Map<string, Stand>> {
  const text = `
    select t.id, t.accepted_by as "acceptedBy", t.idempotency_key as "idempotencyKey", t.ahead, t.run_at as "runAt",
           c.name as holder, c.version as "holderVersion", u.deadline_at as "deadlineAt",
           u.published_at as "publishedAt", u.reoffers
      from task t left join unfinished u on u.task_id = t.id left join consumer c on c.id = u.holder
     where t.id = any($1::uuid[])`
  const rows = await asViewer(db, viewer, (reader) => reader.query<Stand>({ text }, [ids]))
  return new Map(rows.map((row) => [row.id, row]))
}

export interface OutboxView {
  readonly taskId: string
  readonly dueAt: Date
  /** How often the broker did not take it. */
  readonly tries: number
}

/** Uses index outbox_due; the outbox holds what is not published, so there is little to look through, or an outage. */
const UNPUBLISHED = {
  name: 'unpublished',
  text: `select distinct on (task_id) task_id as "taskId", due_at as "dueAt", tries
           from outbox where due_at >= $2 and task_id = any($1::uuid[]) order by task_id, due_at`,
}

/** Reads what of the tasks still waits to be published. @param dueFrom no row of theirs is due before */
export async function readUnpublished(
  db: Queryable,
  ids: readonly string[],
  dueFrom: Date,
): Promise<Map<string, OutboxView>> {
  const rows = await db.query<OutboxView>(UNPUBLISHED, [ids, dueFrom])
  return new Map(rows.map((row) => [row.taskId, row]))
}

/** A time in which a task waited. */
export interface Window {
  readonly taskId: string
  readonly name: string
  readonly queue: string
  readonly from: Date
  readonly to: Date
}

export interface Surroundings {
  readonly taskId: string
  /** Consumers of the queue that lived when the wait began, and when it ended. */
  readonly consumersBefore: number
  readonly consumersAfter: number
  /** Those of `consumersAfter` that can run this task type. */
  readonly knowing: number
  /** When the first consumer of the queue began within the wait. */
  readonly firstBegan: Date | null
  readonly absence: Absence | null
}

/** The two tables have a row for each life of a process and each absence, so they are read as they lie. */
const SURROUNDINGS = {
  name: 'surroundings',
  text: `
    with wait as materialized (
      select * from jsonb_to_recordset($1::jsonb) as w("taskId" uuid, name text, queue text, "from" timestamptz, "to" timestamptz)
    ), life as materialized (
      select queues, tasks, started_at, least(ended_at, lease_until) as until from consumer
       where lease_until >= (select min("from") from wait) and started_at <= (select max("to") from wait)
    )
    select w."taskId", lives.*, to_jsonb(a) as absence
      from wait w cross join lateral (
        select count(*) filter (where started_at <= w."from" and until > w."from")::int as "consumersBefore",
               count(*) filter (where until > w."to")::int as "consumersAfter",
               count(*) filter (where until > w."to" and (tasks is null or w.name = any(tasks)))::int as knowing,
               min(started_at) filter (where started_at > w."from") as "firstBegan"
          from life where queues ? w.queue and started_at <= w."to"
      ) lives left join lateral (
        select process, since, until, state from broker_absence
         where until >= w."from" and since <= w."to" order by until - since desc limit 1
      ) a on true`,
}

/** Reads what was the matter around each task while it waited. */
export async function readSurroundings(db: Queryable, waits: readonly Window[]): Promise<Map<string, Surroundings>> {
  type Row = Omit<Surroundings, 'absence'> & {
    absence: (Omit<Absence, 'since' | 'until'> & { since: string; until: string }) | null
  }
  const rows = await db.query<Row>(SURROUNDINGS, [JSON.stringify(waits)])
  return new Map(
    rows.map(({ absence, ...row }) => {
      const dated = absence && { ...absence, since: new Date(absence.since), until: new Date(absence.until) }
      return [row.taskId, { ...row, absence: dated }]
    }),
  )
}

export interface Crowd {
  /** So many tasks of its queue were accepted just before it and looked at. */
  readonly sampled: number
  /** The client that most of them came from, and how many did. */
  readonly client: string
  readonly most: number
}

/** What is looked at to tell who stood before a task: this many of its queue, found among so many of all queues. */
const SAMPLE = 2_000
const SEARCHED = 5_000

/** $1 the task, $2 its queue, $3 how many stood before it. Walks the primary key backwards, a bounded number of rows. */
const CROWD_TEXT = `
  select client, count(*)::int as tasks from (
    select client from (
      select client, queue, run_at from task
       where id < $1 and id >= id_floor((select created_at from task where id = $1) - interval '1 day')
       order by id desc limit ${SEARCHED}
    ) before where queue = $2 and run_at is null limit least($3::int, ${SAMPLE})
  ) crowd group by client order by tasks desc, client`

/** Reads who sent the tasks that were accepted just before a task; undefined when none were found. */
export async function readCrowd(db: Queryable, id: string, queue: string, ahead: number): Promise<Crowd | undefined> {
  const rows = await db.query<{ client: string; tasks: number }>({ text: CROWD_TEXT }, [id, queue, ahead])
  const [first] = rows
  if (!first) return undefined
  return { sampled: rows.reduce((sum, { tasks }) => sum + tasks, 0), client: first.client, most: first.tasks }
}
