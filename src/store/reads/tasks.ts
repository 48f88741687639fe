/**
 * Reads tasks as clients and operators see them. Every query names the viewer in its condition, and runs as a role that
 * sees no more than that viewer may.
 */
import { clientOf, type Viewer } from '../../core/caller.ts'
import type { Failure } from '../../core/failure.ts'
import { type FailureReason, isFinished, type Status } from '../../core/states.ts'
import { Conditions } from '../conditions.ts'
import type { Db, Queryable } from '../db.ts'
import { int, json, jsonb, neverNull, nullable, type RowOf, statement, text, texts, time, uuid } from '../statement.ts'
import { asViewer } from '../viewer.ts'

/**
 * The state is wherever the task stands: `unfinished` or `finished`. One snapshot, so never both and never neither. Its
 * last attempt is in `finished`, if it ended with one, else the newest of `attempt`.
 */
const TASK_COLUMNS = `
  t.id, t.name, t.queue, t.client, coalesce(u.status, f.status) as status,
  coalesce(u.attempt, f.attempt) as attempt, coalesce(u.failures, f.failures) as failures,
  coalesce(u.crashes, f.crashes) as crashes, t.request_id as "requestId", t.trace_id as "traceId",
  t.user_id as "userId", t.tags, t.created_at as "createdAt", u.due_at as "dueAt",
  coalesce(u.started_at, f.started_at, a.started_at) as "startedAt", f.finished_at as "finishedAt", t.expires_at as "expiresAt",
  coalesce(u.progress, f.progress) as progress,
  case when f.finished_at > clock_timestamp() - $1::bigint * interval '1 ms' then f.result end as result,
  case when f.status is distinct from 'SUCCESS' then coalesce(d.error, f.error, a.error) end as error,
  case when f.status is distinct from 'SUCCESS' then coalesce(d.fingerprint, f.fingerprint, a.fingerprint) end as "errorFingerprint",
  d.reason as "failureReason"`

const TASK_SOURCES = `
  from task t
  left join unfinished u on u.task_id = t.id
  left join finished f on f.task_id = t.id
  left join dead_letter d on d.task_id = t.id
  left join lateral (
    select started_at, error, fingerprint from attempt
     where task_id = t.id and f.consumer is null order by attempt desc limit 1
  ) a on true`

const TASK_ROW = {
  id: uuid(),
  name: text(),
  queue: text(),
  client: text(),
  status: neverNull(text<Status>()),
  attempt: neverNull(int()),
  failures: neverNull(int()),
  crashes: neverNull(int()),
  requestId: text(),
  traceId: text(),
  userId: nullable(text()),
  tags: nullable(texts()),
  createdAt: time(),
  /** When it may start next; null once finished. */
  dueAt: nullable(time()),
  startedAt: nullable(time()),
  finishedAt: nullable(time()),
  expiresAt: nullable(time()),
  progress: nullable(json<unknown>()),
  /** JSON value, or null; readable for RESULT_TTL after the end. */
  result: nullable(json<unknown>()),
  error: nullable(jsonb<Failure>()),
  errorFingerprint: nullable(text()),
  failureReason: nullable(text<FailureReason>()),
}

const TASK_BY_ID = statement({
  name: 'task_by_id',
  text: `select ${TASK_COLUMNS} ${TASK_SOURCES} where t.id = $2 and ($3::text is null or t.client = $3)`,
  row: TASK_ROW,
})

export type TaskView = RowOf<typeof TASK_BY_ID>

/** Without a name, so that only the partitions of the tasks asked for are planned. */
const TASKS_BY_ID = statement({
  text: `select ${TASK_COLUMNS} ${TASK_SOURCES}
    where t.id = any($2::uuid[]) and ($3::text is null or t.client = $3) order by t.id`,
  row: TASK_ROW,
})

/** What a list is filtered by is added to it. */
const TASK_LIST = statement({ text: `select ${TASK_COLUMNS} ${TASK_SOURCES}`, row: TASK_ROW })

/** Reads one task, or nothing when there is none or it is another client's. */
export async function readTask(db: Db, viewer: Viewer, id: string, resultTtlMs: number): Promise<TaskView | undefined> {
  const rows = await asViewer(db, viewer, (reader) => reader.query(TASK_BY_ID, [resultTtlMs, id, clientOf(viewer)]))
  return rows[0]
}

/** Reads those of the tasks that the viewer may see, oldest first. */
export async function readTasks(
  db: Db,
  viewer: Viewer,
  ids: readonly string[],
  resultTtlMs: number,
): Promise<TaskView[]> {
  return asViewer(db, viewer, (reader) => reader.query(TASKS_BY_ID, [resultTtlMs, ids, clientOf(viewer)]))
}

export interface TaskFilter {
  readonly status?: Status
  readonly name?: string
  readonly queue?: string
  readonly requestId?: string
  readonly userId?: string
  readonly tag?: string
  readonly errorFingerprint?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
}

/**
 * Lists tasks, newest first.
 *
 * @param limit 1-200
 * @param before the id after which the page begins: the last id of the page before
 * @returns the page, and whether there are more
 */
export async function listTasks(
  db: Db,
  viewer: Viewer,
  filter: TaskFilter,
  { limit, before, resultTtlMs }: { limit: number; before: string | undefined; resultTtlMs: number },
): Promise<{ items: TaskView[]; more: boolean }> {
  const where = new Conditions(resultTtlMs)
  where.add('t.client = ?', clientOf(viewer))
  where.add('t.name = ?', filter.name)
  where.add('t.queue = ?', filter.queue)
  where.add('t.request_id = ?', filter.requestId)
  where.add('t.user_id = ?', filter.userId)
  where.add('t.tags @> array[?::text]', filter.tag)
  where.add('d.fingerprint = ?', filter.errorFingerprint)
  where.add('t.id >= id_floor(?)', filter.createdAfter)
  where.add('t.id < id_floor(?)', filter.createdBefore)
  where.add('t.id < ?', before)
  if (filter.status !== undefined) {
    // The column of the one table that can hold it, so that a few FAILED are not searched for among all tasks.
    where.add(isFinished(filter.status) ? 'f.status = ?' : 'u.status = ?', filter.status)
    if (filter.status === 'FAILED') where.always('d.task_id is not null')
  }
  const list = `${TASK_LIST.text} where ${where.text} order by t.id desc limit ${where.value(limit + 1)}`
  const rows = await asViewer(db, viewer, (reader) => reader.query({ ...TASK_LIST, text: list }, where.values))
  return { items: rows.slice(0, limit), more: rows.length > limit }
}

const ENDED = statement({
  name: 'ended',
  text: 'select task_id as id from finished where task_id = any($1::uuid[])',
  row: { id: uuid() },
})

/** Names those of the given tasks that are finished. */
export async function finishedAmong(db: Queryable, ids: readonly string[]): Promise<string[]> {
  return (await db.query(ENDED, [ids])).map(({ id }) => id)
}
