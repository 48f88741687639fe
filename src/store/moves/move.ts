/**
 * The one writing of a move. A statement says in its CTE `moved` which tasks move and what becomes of each; what that
 * means in rows (an end with its dead letter, or the history of an attempt and the next offer) is written here, for all
 * of them. A new column of the history is a new name in LAST_ATTEMPT.
 */
import { DEATHS_BEFORE_ALONE } from '../../core/retry.ts'
import { FOLLOW_UPS, WAITS } from './reasons.ts'

/** What is kept of an attempt that ended: with the task in `finished` if it was the last, else in `attempt`. */
const LAST_ATTEMPT = 'consumer, started_at, due_at, published_at, reoffers, outcome, error, fingerprint'

/** The columns of `moved`, as they are when a move says nothing else; `u` is the row of `unfinished`. */
const COLUMNS = {
  place: 'u.ctid',
  task_id: 'u.task_id',
  queue: 'u.queue',
  attempt: 'u.attempt',
  failures: 'u.failures',
  crashes: 'u.crashes',
  progress: 'u.progress',
  result: 'null::json',
  at: 'clock_timestamp()',
  /** SUCCESS, FAILED and CANCELLED end it; PENDING and RETRYING offer it again. */
  next: 'null::text',
  /** When the next attempt is due, of what is offered again. */
  due: 'clock_timestamp()',
  /** The rung that carries the wait; 0: the outbox row does. */
  rung_ms: '0::bigint',
  /** Of what becomes FAILED: why, and for its dead letter what it is called and whose it is. */
  reason: 'null::text',
  name: 'null::text',
  client: 'null::text',
  /** Of the attempt that ends with this move; without a holder none does. */
  consumer: 'u.holder',
  started_at: 'u.started_at',
  due_at: 'u.due_at',
  published_at: 'u.published_at',
  reoffers: 'u.reoffers',
  outcome: 'null::text',
  error: 'null::jsonb',
  fingerprint: 'null::text',
} as const

type Columns = Partial<Record<keyof typeof COLUMNS, string>>

/** Writes the CTE `moved`. @param from what follows the columns: where the rows are found, and how they are locked */
export function moved(columns: Columns, from: string): string {
  const list = Object.entries({ ...COLUMNS, ...columns }).map(([name, sql]) => `${sql} as ${name}`)
  return `moved as materialized (select ${list.join(', ')} ${from})`
}

/**
 * Finds the row `u` of `m`, which `moved` has locked, by its key: one that was waited for has another place by now. As an
 * array, because joined plainly the planner may read all of `unfinished` for it.
 */
const LOCKED = 'u.task_id = any(array[m.task_id])'

/** Finds the row `u` of `m` where it was, when `moved` has not locked it. @param fence what must still hold of it then */
export const asFound = (fence: string): string => `u.ctid = m.place and ${fence}`

/** Writes the CTEs that end those of `moved` whose `next` is an end; `ended` has them. @param where LOCKED or `asFound` */
export function ends(where = LOCKED): string {
  const leave = WAITS.map((wait) => `${wait.name}_left as (${wait.leave})`)
  const tell = FOLLOW_UPS.map((followUp) => `${followUp.name} as (${followUp.tell})`)
  return [
    `ended as (
      delete from unfinished u using moved m
       where ${where} and m.next in ('SUCCESS', 'FAILED', 'CANCELLED')
      returning m.*)`,
    `done as (
      insert into finished (task_id, status, attempt, failures, crashes, result, progress, finished_at, ${LAST_ATTEMPT})
      select task_id, next, attempt, failures, crashes, result, progress, at, ${LAST_ATTEMPT} from ended)`,
    ...leave,
    ...tell,
  ].join(', ')
}

/** The dead letters of those of `ended` that failed. */
export const LETTERS = `
  letters as (
    insert into dead_letter (task_id, name, queue, client, failed_at, reason, error, fingerprint)
    select task_id, name, queue, client, at, reason, error, fingerprint from ended where next = 'FAILED')`

/** Writes the CTEs that offer those of `moved` again that have not ended; `offered` has them. @param where as of `ends` */
export function offers(where = LOCKED): string {
  return `
    offered as (
      update unfinished u
         set status = m.next, failures = m.failures, crashes = m.crashes, holder = null, started_at = null,
             deadline_at = null, due_at = m.due, offered_at = m.due, reoffers = 0
        from moved m
       where ${where} and m.next in ('PENDING', 'RETRYING')
      returning m.*), ${history('offered', 'at', 'due')}, ${TRAVEL}`
}

/** Writes the CTE that keeps the attempts which ended and are not the last. @param next when the one after it was due */
export function history(of: string, endedAt: string, next: string): string {
  return `history as (
      insert into attempt (task_id, attempt, ended_at, next_at, ${LAST_ATTEMPT})
      select task_id, attempt, ${endedAt}, ${next}, ${LAST_ATTEMPT} from ${of} where consumer is not null)`
}

const taken = WAITS.map(
  ({ name, takes, enter }) => `
  ${name}_taken as (select * from offered o where ${takes}), ${name}_entered as (${enter}), `,
)
const untaken = WAITS.map(({ takes }) => ` and not (${takes})`)

/** Lets the tasks of `offered` travel: task_id, attempt (the one before), queue, rung_ms, crashes, at, due. */
export const TRAVEL = `${taken.join('')}
  travel as (
    insert into outbox (task_id, attempt, queue, rung_ms, alone, created_at, due_at)
    select task_id, attempt + 1, queue, rung_ms, crashes >= ${DEATHS_BEFORE_ALONE}, at,
           case when rung_ms > 0 then at else due end
      from offered o where true${untaken.join('')})`

/** Whether nothing but a message can begin the task: it waits for no reason of ours. `u` is its row of `unfinished`. */
export const NEEDS_MESSAGE = ['true', ...WAITS.map(({ holds }) => `not (${holds})`)].join(' and ')
