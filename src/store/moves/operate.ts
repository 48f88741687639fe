/** What people do to tasks by hand: cancel and redrive. Each leaves a row in `operation` in the same commit. */
import type { Status } from '../../core/states.ts'
import type { Queryable } from '../db.ts'
import type { Viewer } from '../viewer.ts'

export interface Actor {
  readonly name: string
  readonly requestId: string
  readonly reason: string | null
}

/** What became of one request to cancel or redrive. */
export type Operated = { readonly done: true } | { readonly done: false; readonly status: Status | undefined }

/**
 * $1 task, $2 client or null, $3 actor, $4 request id, $5 reason. Locks the row, so a settle under way decides first.
 * A RUNNING attempt is written to the history here; its consumer finds out by the next renewal of its lease.
 */
const CANCEL = {
  name: 'cancel',
  text: `
    with mine as materialized (
      select u.* from unfinished u
       where u.task_id = $1
         and ($2::text is null or exists (select from task t where t.id = $1 and t.client = $2))
         for update of u
    ), gone as (
      delete from unfinished u using mine where u.task_id = mine.task_id
      returning u.task_id
    ), history as (
      insert into attempt (task_id, attempt, consumer, started_at, ended_at, outcome, due_at, published_at, reoffers)
      select task_id, attempt, holder, started_at, clock_timestamp(), 'cancelled', due_at, published_at, reoffers
        from mine where status = 'RUNNING'
    ), done as (
      insert into finished (task_id, status, attempt, failures, crashes, progress, finished_at)
      select m.task_id, 'CANCELLED', m.attempt, m.failures, m.crashes, m.progress, clock_timestamp()
        from mine m join gone using (task_id)
      returning task_id
    ), noted as (
      insert into operation (actor, action, task_id, request_id, reason)
      select $3, 'cancel', task_id, $4, $5 from done
    )
    select (select count(*) from done)::int as done,
           (select f.status from finished f where f.task_id = $1
              and ($2::text is null or exists (select from task t where t.id = $1 and t.client = $2))) as status`,
}

/** Cancels an unfinished task. Of a task that does not exist, or is another client's, the status is undefined. */
export async function cancelTask(db: Queryable, viewer: Viewer, id: string, actor: Actor): Promise<Operated> {
  const client = viewer === 'everybody' ? null : viewer.client
  const rows = await db.query<{ done: number; status: Status | null }>(CANCEL, [
    id,
    client,
    actor.name,
    actor.requestId,
    actor.reason,
  ])
  const row = rows[0] as { done: number; status: Status | null }
  return row.done === 1 ? { done: true } : { done: false, status: row.status ?? undefined }
}

/** $1 tasks, $2 client or null, $3 actor, $4 request id, $5 reason. Attempts go on counting; charges begin at 0. */
const REDRIVE = {
  name: 'redrive',
  text: `
    with letter as materialized (
      select task_id from dead_letter
       where task_id = any($1::uuid[]) and ($2::text is null or client = $2)
       order by task_id for update
    ), opened as (
      delete from dead_letter d using letter where d.task_id = letter.task_id returning d.task_id
    ), past as (
      delete from finished f using opened where f.task_id = opened.task_id and f.task_id = any($1::uuid[])
      returning f.task_id, f.attempt
    ), back as (
      insert into unfinished (task_id, queue, status, attempt, due_at, offered_at)
      select p.task_id, t.queue, 'PENDING', p.attempt, clock_timestamp(), clock_timestamp()
        from past p join task t on t.id = p.task_id
      returning task_id, queue, attempt
    ), next as (
      insert into outbox (task_id, attempt, queue, created_at, due_at)
      select task_id, attempt + 1, queue, clock_timestamp(), clock_timestamp() from back
    ), noted as (
      insert into operation (actor, action, task_id, request_id, reason)
      select $3, 'redrive', task_id, $4, $5 from back
    )
    select task_id as id from back`,
}

/** Sends FAILED tasks round again, and names those that went; tasks in another state stay as they are. */
export async function redriveTasks(
  db: Queryable,
  viewer: Viewer,
  ids: readonly string[],
  actor: Actor,
): Promise<string[]> {
  const client = viewer === 'everybody' ? null : viewer.client
  const rows = await db.query<{ id: string }>(REDRIVE, [ids, client, actor.name, actor.requestId, actor.reason])
  return rows.map(({ id }) => id)
}

export interface DeadLetterFilter {
  readonly name?: string
  readonly queue?: string
  readonly client?: string
  readonly fingerprint?: string
  readonly reason?: string
  readonly failedAfter?: Date
  readonly failedBefore?: Date
}

export interface DeadLetterView {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly client: string
  readonly failedAt: Date
  readonly reason: string
  readonly error: { name: string; message: string; stack?: string }
  readonly fingerprint: string
}

function conditions(filter: DeadLetterFilter, values: unknown[]): string {
  const where = ['true']
  const add = (condition: string, value: unknown): void => {
    if (value === undefined) return
    values.push(value)
    where.push(condition.replace('?', `$${values.length}`))
  }
  add('name = ?', filter.name)
  add('queue = ?', filter.queue)
  add('client = ?', filter.client)
  add('fingerprint = ?', filter.fingerprint)
  add('reason = ?', filter.reason)
  add('failed_at > ?', filter.failedAfter)
  add('failed_at <= ?', filter.failedBefore)
  return where.join(' and ')
}

/** Lists dead letters, oldest failure first, at most `limit`. */
export async function listDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter,
  limit: number,
): Promise<DeadLetterView[]> {
  const values: unknown[] = []
  const where = conditions(filter, values)
  values.push(limit)
  const text = `select task_id as id, name, queue, client, failed_at as "failedAt", reason, error, fingerprint
                  from dead_letter where ${where} order by failed_at, task_id limit $${values.length}`
  return db.query<DeadLetterView>({ text }, values)
}

export interface DeadLetterGroup {
  readonly fingerprint: string
  readonly tasks: number
  readonly name: string
  readonly error: string
  readonly oldest: Date
  readonly newest: Date
}

/** Groups dead letters by task and error, the largest group first. */
export async function groupDeadLetters(db: Queryable, filter: DeadLetterFilter): Promise<DeadLetterGroup[]> {
  const values: unknown[] = []
  const text = `select fingerprint, name, count(*)::int as tasks, min(failed_at) as oldest, max(failed_at) as newest,
                       min((error->>'name') || ': ' || (error->>'message')) as error
                  from dead_letter where ${conditions(filter, values)}
                 group by fingerprint, name order by tasks desc, fingerprint`
  return db.query<DeadLetterGroup>({ text }, values)
}
