/**
 * Ends attempts. One statement writes the history, the new state (or the end), the dead letter and the outbox row for
 * what comes next; it is fenced by attempt, holder and RUNNING, so a consumer that was given up changes nothing.
 */
import type { Failure } from '../../core/failure.ts'
import type { FailureReason } from '../../core/states.ts'
import type { Queryable } from '../db.ts'
import { bool, neverNull, statement, uuid } from '../statement.ts'
import { SHORT_LOCK_WAIT, withoutWaiting } from './locks.ts'
import { asFound, ends, LETTERS, moved, offers } from './move.ts'

interface Ended {
  readonly id: string
  readonly attempt: number
  readonly name: string
  readonly client: string
}

export type Settlement = Ended &
  (
    | { readonly next: 'SUCCESS' /** JSON text that PostgreSQL can store. */; readonly result: string }
    | { readonly next: 'FAILED'; readonly reason: FailureReason; readonly error: Failure; readonly fingerprint: string }
    | {
        readonly next: 'RETRYING'
        readonly error: Failure
        readonly fingerprint: string
        /** When the next attempt is due, from now; rounded to whole milliseconds. */
        readonly delayMs: number
        /** Whether a rung of the ladder carries the wait, or the outbox row does. */
        readonly onRung: boolean
      }
    | { readonly next: 'PENDING'; readonly error: Failure | null; readonly delayMs: number }
  )

/**
 * settled: done. already: this very attempt had been settled by us before. again: another transaction held the row, ask
 * again. fenced: another decided about it.
 */
export type Settled = 'settled' | 'already' | 'again' | 'fenced'

/** Whether the row `u` is the attempt `m` and still this consumer's to end. */
const fence = (attempt: string): string => `u.attempt = ${attempt} and u.holder = $2 and u.status = 'RUNNING'`

/**
 * How the rows are found. Most are held by nobody: they are written where they were found, fenced in the write, which
 * waits a moment for a lock. Without waiting: what is held is left out. In a task's own transaction the lock is waited
 * for: giving up would throw the work away.
 */
const FIND = {
  '': 'offset 0',
  _free: `and ${fence('e.attempt')} for update skip locked`,
  _waiting: `and ${fence('e.attempt')} for update`,
} as const

type How = keyof typeof FIND

const where = (how: How): string | undefined => (how === '' ? asFound(fence('m.attempt')) : undefined)

const soon = (how: How): string =>
  `soon as materialized (select ${how === '_waiting' ? 'true' : SHORT_LOCK_WAIT} as yes)`

/**
 * $1 the ends as JSON, each task once; $2 the consumer. In id order. The lateral query keeps the planner from beginning
 * with the whole of `unfinished`, which was empty when it was last vacuumed (34 ms became 4 for 130 tasks).
 */
const found = (how: How, columns: string): string => `
  from (select * from json_to_recordset($1::json) as e(id uuid, attempt int, ${columns}) order by id) e,
       lateral (select u.ctid, u.* from unfinished u where u.task_id = e.id ${FIND[how]}) u, soon`

/** Nearly all ends are a SUCCESS, and nothing follows it. */
const success = (how: How) =>
  statement({
    name: `settle_success${how}`,
    text: `
      with ${soon(how)},
        ${moved({ attempt: 'e.attempt', next: `'SUCCESS'`, outcome: `'success'`, result: 'e.result' }, found(how, 'result json'))},
        ${ends(where(how))}
      select task_id as id from ended`,
    row: { id: uuid() },
  })

const settle = (how: How) =>
  statement({
    name: `settle${how}`,
    text: `
      with ${soon(how)},
        ${moved(
          {
            attempt: 'e.attempt',
            failures: 'u.failures + e.charge',
            next: 'e.next',
            due: `clock_timestamp() + e.delay_ms * interval '1 ms'`,
            rung_ms: 'e.rung_ms',
            reason: 'e.reason',
            name: 'e.name',
            client: 'e.client',
            outcome: 'e.outcome',
            error: 'e.error',
            fingerprint: 'e.fingerprint',
          },
          found(
            how,
            `next text, name text, client text, outcome text, charge int, error jsonb, fingerprint text, reason text,
             delay_ms bigint, rung_ms bigint`,
          ),
        )},
        ${ends(where(how))}, ${LETTERS}, ${offers(where(how))}
      select task_id as id from ended union all select task_id from offered`,
    row: { id: neverNull(uuid()) },
  })

const SUCCESS = { '': success(''), _free: success('_free'), _waiting: success('_waiting') }
const SETTLE = { '': settle(''), _free: settle('_free'), _waiting: settle('_waiting') }

/** Of what was not settled: whether it is still this consumer's to end, and whether it ended it before. */
const NOT_SETTLED = statement({
  name: 'not_settled',
  text: `
    select e.id, exists (select from unfinished u where u.task_id = e.id and ${fence('e.attempt')}) as "isMine",
           exists (select from finished f
                    where f.task_id = e.id and f.attempt = e.attempt and f.consumer = $2
                      and f.outcome in ('success', 'failure'))
             or exists (select from attempt a
                    where a.task_id = e.id and a.attempt = e.attempt and a.consumer = $2
                      and a.outcome in ('success', 'failure', 'handed_back')) as "isDone"
      from json_to_recordset($1::json) as e(id uuid, attempt int)`,
  row: { id: neverNull(uuid()), isMine: neverNull(bool()), isDone: neverNull(bool()) },
})

/**
 * Settles a batch and answers in the given order. Repeating it is safe. It waits for nobody's lock longer than a moment.
 * If it throws, which of them were settled is not known: settle again with the same arguments.
 *
 * @param settlements 1 or more, each task once
 */
export async function settleTasks(
  db: Queryable,
  consumer: string,
  settlements: readonly Settlement[],
): Promise<Settled[]> {
  const settled = await withoutWaiting(
    () => write(db, consumer, settlements, ''),
    () => write(db, consumer, settlements, '_free'),
  )
  const others = settlements.filter(({ id }) => !settled.has(id))
  const verdicts = await verdictsOn(db, consumer, others)
  // What its own progress moved at that moment is free again.
  const again = others.filter(({ id }) => verdicts.get(id) === 'again')
  if (again.length > 0) for (const id of await write(db, consumer, again, '_free')) settled.add(id)
  return settlements.map(({ id }) => (settled.has(id) ? 'settled' : (verdicts.get(id) ?? 'fenced')))
}

/**
 * Settles an attempt as the last statement of its own transaction. It waits for whoever holds the row, and is never told
 * to ask again.
 */
export async function settleWithin(connection: Queryable, consumer: string, settlement: Settlement): Promise<Settled> {
  const settled = await write(connection, consumer, [settlement], '_waiting')
  if (settled.size > 0) return 'settled'
  return (await verdictsOn(connection, consumer, [settlement])).get(settlement.id) ?? 'fenced'
}

/** @returns the ids of those that were settled */
async function write(
  db: Queryable,
  consumer: string,
  settlements: readonly Settlement[],
  how: How,
): Promise<Set<string>> {
  const settled = new Set<string>()
  const ended: string[] = []
  const others: string[] = []
  for (const settlement of settlements) {
    if (settlement.next === 'SUCCESS') ended.push(successRow(settlement))
    else others.push(JSON.stringify(rowOf(settlement)))
  }
  for (const [rows, by] of [
    [ended, SUCCESS[how]],
    [others, SETTLE[how]],
  ] as const) {
    if (rows.length === 0) continue
    for (const { id } of await db.query(by, [`[${rows.join(',')}]`, consumer])) settled.add(id)
  }
  return settled
}

/** Tells of those that were not settled what became of them. */
async function verdictsOn(
  db: Queryable,
  consumer: string,
  others: readonly Settlement[],
): Promise<ReadonlyMap<string, Settled>> {
  if (others.length === 0) return new Map()
  const asked = JSON.stringify(others.map(({ id, attempt }) => ({ id, attempt })))
  const rows = await db.query(NOT_SETTLED, [asked, consumer])
  return new Map(rows.map(({ id, isMine, isDone }) => [id, isMine ? 'again' : isDone ? 'already' : 'fenced']))
}

type Success = Extract<Settlement, { next: 'SUCCESS' }>

/** The result is JSON text already and goes in as it is; ids are UUIDs, so nothing is escaped. */
const successRow = ({ id, attempt, result }: Success): string =>
  `{"id":"${id}","attempt":${attempt},"result":${result}}`

function rowOf(settlement: Exclude<Settlement, Success>): object {
  const { id, attempt, name, client, next } = settlement
  const common = { id, attempt, name, client, next, charge: 0, delay_ms: 0, rung_ms: 0 }
  switch (settlement.next) {
    case 'FAILED': {
      const { error, fingerprint, reason } = settlement
      return { ...common, outcome: 'failure', charge: 1, error, fingerprint, reason }
    }
    case 'RETRYING': {
      const { error, fingerprint, delayMs, onRung } = settlement
      const wait = { delay_ms: Math.round(delayMs), rung_ms: onRung ? delayMs : 0 }
      return { ...common, outcome: 'failure', charge: 1, error, fingerprint, ...wait }
    }
    case 'PENDING':
      return { ...common, outcome: 'handed_back', error: settlement.error, delay_ms: Math.round(settlement.delayMs) }
  }
}

/**
 * Waits for whoever is writing this task, then tells whether the attempt is still this consumer's to end.
 * Asked when the answer to a commit was lost: the lock makes a commit that is still under way finish first.
 */
const STILL_MINE = statement({
  name: 'still_mine',
  text: `select task_id from unfinished
          where task_id = $1 and attempt = $2 and holder = $3 and status = 'RUNNING' for update`,
  row: { task_id: uuid() },
})

export async function isStillMine(db: Queryable, id: string, attempt: number, consumer: string): Promise<boolean> {
  return (await db.query(STILL_MINE, [id, attempt, consumer])).length > 0
}
