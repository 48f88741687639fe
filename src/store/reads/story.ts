/**
 * Reads the facts that the sentence why is made of. What is not a task's own (consumers, who else sent tasks) no viewer
 * may read as such: it is read as the owner, and only about tasks that the viewer was shown before.
 */
import type { Viewer } from '../../core/caller.ts'
import type { Db, Queryable } from '../db.ts'
import { int, jsonb, neverNull, nullable, type RowOf, statement, text, time, uuid } from '../statement.ts'
import type { Absence } from '../upkeep/absences.ts'
import { asViewer } from '../viewer.ts'

/** Without a name, so that only the tasks' partitions are planned. */
const STANDS = statement({
  text: `
    select t.id, t.accepted_by as "acceptedBy", t.idempotency_key as "idempotencyKey", t.ahead, t.run_at as "runAt",
           c.name as holder, c.version as "holderVersion", u.deadline_at as "deadlineAt",
           u.published_at as "publishedAt", u.reoffers
      from task t left join unfinished u on u.task_id = t.id left join consumer c on c.id = u.holder
     where t.id = any($1::uuid[])`,
  row: {
    id: uuid(),
    acceptedBy: nullable(text()),
    idempotencyKey: nullable(text()),
    /** How many waited in its queue when it was accepted. */
    ahead: nullable(int()),
    runAt: nullable(time()),
    /** The consumer that runs it now, and until when it may. */
    holder: nullable(text()),
    holderVersion: nullable(text()),
    deadlineAt: nullable(time()),
    publishedAt: nullable(time()),
    reoffers: nullable(int()),
  },
})

export type Stand = RowOf<typeof STANDS>

/** Reads how the tasks came in and, of those that are not finished, how they stand. */
export async function readStands(db: Db, viewer: Viewer, ids: readonly string[]): Promise<Map<string, Stand>> {
  const rows = await asViewer(db, viewer, (reader) => reader.query(STANDS, [ids]))
  return new Map(rows.map((row) => [row.id, row]))
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
const SURROUNDINGS = statement({
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
  row: {
    taskId: neverNull(uuid()),
    consumersBefore: neverNull(int()),
    consumersAfter: neverNull(int()),
    knowing: neverNull(int()),
    firstBegan: nullable(time()),
    absence: nullable(jsonb<Omit<Absence, 'since' | 'until'> & { since: string; until: string }>()),
  },
})

/** Reads what was the matter around each task while it waited. */
export async function readSurroundings(db: Queryable, waits: readonly Window[]): Promise<Map<string, Surroundings>> {
  const rows = await db.query(SURROUNDINGS, [JSON.stringify(waits)])
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
const CROWD = statement({
  text: `
  select client, count(*)::int as tasks from (
    select client from (
      select client, queue, run_at from task
       where id < $1 and id >= id_floor((select created_at from task where id = $1) - interval '1 day')
       order by id desc limit ${SEARCHED}
    ) before where queue = $2 and run_at is null limit least($3::int, ${SAMPLE})
  ) crowd group by client order by tasks desc, client`,
  row: { client: text(), tasks: neverNull(int()) },
})

/** Reads who sent the tasks that were accepted just before a task; undefined when none were found. */
export async function readCrowd(db: Queryable, id: string, queue: string, ahead: number): Promise<Crowd | undefined> {
  const rows = await db.query(CROWD, [id, queue, ahead])
  const [first] = rows
  if (!first) return undefined
  return { sampled: rows.reduce((sum, { tasks }) => sum + tasks, 0), client: first.client, most: first.tasks }
}
