/**
 * Reads tasks as clients and operators see them. Every query names the viewer in its condition, and runs as a role that
 * sees no more than that viewer may.
 */
import type { Failure } from '../../core/failure.ts'
import { type AttemptOutcome, type FailureReason, isFinished, type Status } from '../../core/states.ts'
import type { Db, Queryable } from '../db.ts'
import { asViewer, type Viewer } from '../viewer.ts'

export interface TaskView {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly client: string
  readonly status: Status
  readonly attempt: number
  readonly failures: number
  readonly crashes: number
  readonly requestId: string
  readonly traceId: string
  readonly userId: string | null
  readonly tags: readonly string[] | null
  readonly createdAt: Date
  /** When it may start next; null once finished. */
  readonly dueAt: Date | null
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly expiresAt: Date | null
  readonly progress: unknown
  /** JSON value, or null; readable for RESULT_TTL after the end. */
  readonly result: unknown
  readonly error: Failure | null
  readonly errorFingerprint: string | null
  readonly failureReason: FailureReason | null
}

export interface AttemptView {
  readonly attempt: number
  readonly consumer: string
  readonly version: string
  readonly startedAt: Date
  readonly endedAt: Date
  readonly outcome: AttemptOutcome
  readonly error: Failure | null
  readonly errorFingerprint: string | null
  /** When the attempt after this one was due, or null. */
  readonly nextAt: Date | null
  /** When this attempt was due; null for what ran before this was kept, as are the next two. */
  readonly dueAt: Date | null
  /** When the message that began it was published, by the clock of the api that did it. */
  readonly publishedAt: Date | null
  /** How often the auditor had offered it again. */
  readonly reoffers: number | null
  /** Why the life of its consumer ended, when it ended with this attempt in hand. */
  readonly consumerEnded: ConsumerEnded | null
}

export const CONSUMER_ENDS = ['told_to_stop', 'lease_lost', 'silent'] as const
export type ConsumerEnded = (typeof CONSUMER_ENDS)[number]

const client = (viewer: Viewer): string | null => (viewer === 'everybody' ? null : viewer.client)

/** The state is wherever the task stands: `unfinished` or `finished`. One snapshot, so never both and never neither. */
const TASK_COLUMNS = `
  t.id, t.name, t.queue, t.client, coalesce(u.status, f.status) as status,
  coalesce(u.attempt, f.attempt) as attempt, coalesce(u.failures, f.failures) as failures,
  coalesce(u.crashes, f.crashes) as crashes, t.request_id as "requestId", t.trace_id as "traceId",
  t.user_id as "userId", t.tags, t.created_at as "createdAt", u.due_at as "dueAt",
  coalesce(u.started_at, a.started_at) as "startedAt", f.finished_at as "finishedAt", t.expires_at as "expiresAt",
  coalesce(u.progress, f.progress) as progress,
  case when f.finished_at > clock_timestamp() - $1::bigint * interval '1 ms' then f.result end as result,
  case when f.status is distinct from 'SUCCESS' then coalesce(d.error, a.error) end as error,
  case when f.status is distinct from 'SUCCESS' then coalesce(d.fingerprint, a.fingerprint) end as "errorFingerprint",
  d.reason as "failureReason"`

const TASK_SOURCES = `
  from task t
  left join unfinished u on u.task_id = t.id
  left join finished f on f.task_id = t.id
  left join dead_letter d on d.task_id = t.id
  left join lateral (
    select started_at, error, fingerprint from attempt where task_id = t.id order by attempt desc limit 1
  ) a on true`

const TASK_BY_ID = {
  name: 'task_by_id',
  text: `select ${TASK_COLUMNS} ${TASK_SOURCES} where t.id = $2 and ($3::text is null or t.client = $3)`,
}

/** Reads one task, or nothing when there is none or it is another client's. */
export async function readTask(db: Db, viewer: Viewer, id: string, resultTtlMs: number): Promise<TaskView | undefined> {
  const rows = await asViewer(db, viewer, (reader) =>
    reader.query<TaskView>(TASK_BY_ID, [resultTtlMs, id, client(viewer)]),
  )
  return rows[0]
}

/** Reads those of the tasks that the viewer may see, oldest first. Without a name, so that only their partitions are planned. */
export async function readTasks(
  db: Db,
  viewer: Viewer,
  ids: readonly string[],
  resultTtlMs: number,
): Promise<TaskView[]> {
  const text = `select ${TASK_COLUMNS} ${TASK_SOURCES}
     where t.id = any($2::uuid[]) and ($3::text is null or t.client = $3) order by t.id`
  return asViewer(db, viewer, (reader) => reader.query<TaskView>({ text }, [resultTtlMs, ids, client(viewer)]))
}

const ATTEMPTS = {
  name: 'attempts',
  text: `
    select a.task_id as "taskId", a.attempt, coalesce(c.name, a.consumer::text) as consumer,
           coalesce(c.version, '') as version, a.started_at as "startedAt", a.ended_at as "endedAt", a.outcome, a.error,
           a.fingerprint as "errorFingerprint", a.next_at as "nextAt", a.due_at as "dueAt",
           a.published_at as "publishedAt", a.reoffers,
           case when a.outcome in ('handed_back', 'crash')
                 and c.ended_at between a.started_at and a.ended_at + interval '1 s' then c.ended_because
           end as "consumerEnded"
      from attempt a left join consumer c on c.id = a.consumer
     where a.task_id = any($1::uuid[]) order by a.task_id, a.attempt`,
}

/** Reads the ended attempts of those of the tasks that the viewer may see, oldest first, by task id. */
export async function readAttempts(
  db: Db,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Map<string, AttemptView[]>> {
  const byTask = new Map<string, AttemptView[]>(ids.map((id) => [id, []]))
  const rows = await asViewer(db, viewer, (reader) => reader.query<AttemptView & { taskId: string }>(ATTEMPTS, [ids]))
  for (const { taskId, ...attempt } of rows) {
    byTask.get(taskId)?.push(attempt)
  }
  return byTask
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
  const values: unknown[] = [resultTtlMs]
  const where: string[] = []
  const add = (condition: string, value: unknown): void => {
    if (value === undefined || value === null) return
    values.push(value)
    where.push(condition.replaceAll('?', `$${values.length}`))
  }
  add('t.client = ?', client(viewer))
  add('t.name = ?', filter.name)
  add('t.queue = ?', filter.queue)
  add('t.request_id = ?', filter.requestId)
  add('t.user_id = ?', filter.userId)
  add('t.tags @> array[?::text]', filter.tag)
  add('d.fingerprint = ?', filter.errorFingerprint)
  add('t.id >= id_floor(?)', filter.createdAfter)
  add('t.id < id_floor(?)', filter.createdBefore)
  add('t.id < ?', before)
  if (filter.status !== undefined) {
    // The column of the one table that can hold it, so that a few FAILED are not searched for among all tasks.
    add(isFinished(filter.status) ? 'f.status = ?' : 'u.status = ?', filter.status)
    if (filter.status === 'FAILED') where.push('d.task_id is not null')
  }
  values.push(limit + 1)
  const text = `select ${TASK_COLUMNS} ${TASK_SOURCES}
    ${where.length > 0 ? `where ${where.join(' and ')}` : ''} order by t.id desc limit $${values.length}`
  const rows = await asViewer(db, viewer, (reader) => reader.query<TaskView>({ text }, values))
  return { items: rows.slice(0, limit), more: rows.length > limit }
}

const ENDED = {
  name: 'ended',
  text: 'select task_id as id from finished where task_id = any($1::uuid[])',
}

/** Names those of the given tasks that are finished. */
export async function finishedAmong(db: Queryable, ids: readonly string[]): Promise<string[]> {
  return (await db.query<{ id: string }>(ENDED, [ids])).map(({ id }) => id)
}

const OPERATIONS = {
  name: 'operations',
  text: `select task_id as "taskId", at, actor, action, request_id as "requestId", reason
           from operation where task_id = any($1::uuid[]) order by id`,
}

export interface OperationView {
  readonly taskId: string
  readonly at: Date
  readonly actor: string
  readonly action: 'redrive' | 'cancel'
  readonly requestId: string
  readonly reason: string | null
}

/** Reads what was done by hand to those of the tasks that the viewer may see, oldest first. */
export async function readOperations(db: Db, viewer: Viewer, ids: readonly string[]): Promise<OperationView[]> {
  return asViewer(db, viewer, (reader) => reader.query<OperationView>(OPERATIONS, [ids]))
}
