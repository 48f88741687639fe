/**
 * Takes back the tasks of consumers that died. Nothing is judged unless the database has answered just now: after it was
 * frozen or away everybody looks dead.
 */
import { DEATHS_BEFORE_FAILED } from '../../core/retry.ts'
import type { Queryable } from '../db.ts'
import { bool, int, neverNull, type RowOf, statement, uuid } from '../statement.ts'
import { ends, LETTERS, moved, offers } from './move.ts'
import { WHOSE, WHOSE_ROW } from './whose.ts'

/** A statement that was sent before the database froze must not judge when it thaws: everybody looks dead then. */
const SENT_JUST_NOW = `$1::timestamptz > clock_timestamp() - interval '5 s'`

const END_SILENT = statement({
  name: 'end_silent',
  text: `
    update consumer set ended_at = clock_timestamp(), ended_because = 'silent'
     where ended_at is null and lease_until < clock_timestamp() and ${SENT_JUST_NOW}
    returning id`,
  row: { id: uuid() },
})

/**
 * Ends the lives whose lease has run out, and names them. What they held is left to `takeBack`.
 * @param answeredAt the database's own time at its last answer; older than 5 s, nothing is judged
 */
export async function endSilent(db: Queryable, answeredAt: Date): Promise<string[]> {
  return (await db.query(END_SILENT, [answeredAt])).map(({ id }) => id)
}

/**
 * $1 the database's time when it last answered, $2 seconds of a lease, $3 at most so many rows.
 * Takes back every RUNNING row whose holder has no live lease, and every attempt a lease past its deadline. From the
 * second death on the task is offered alone; at DEATHS_BEFORE_FAILED it ends as a crash.
 */
const TAKE_BACK = statement({
  name: 'take_back',
  text: `
    with ${moved(
      {
        crashes: 'u.crashes + 1',
        next: `case when u.crashes + 1 >= ${DEATHS_BEFORE_FAILED} then 'FAILED' else 'PENDING' end`,
        outcome: `'crash'`,
        error: `jsonb_build_object('name', 'ConsumerDied', 'message', case
                  when u.deadline_at < clock_timestamp() - $2::int * interval '1 s'
                  then 'the attempt passed its deadline and its consumer did not end it'
                  else 'the consumer died or lost its lease while it ran this attempt' end)`,
        fingerprint: `'consumer-died'`,
        reason: `'crash'`,
        name: 't.name',
        client: 't.client',
      },
      `from (select u.ctid, u.* from unfinished u
              where u.status = 'RUNNING' and ${SENT_JUST_NOW}
                and (u.deadline_at < clock_timestamp() - $2::int * interval '1 s'
                     or not exists (select from consumer c where c.id = u.holder and c.ended_at is null
                                       and c.lease_until >= clock_timestamp()))
              limit $3 for update of u skip locked) u join task t on t.id = u.task_id`,
    )}, ${ends()}, ${LETTERS}, ${offers()}
    select m.task_id as id, m.attempt, m.consumer as holder, m.next = 'FAILED' as "isFailed", t.name, ${WHOSE}
      from moved m join task t on t.id = m.task_id`,
  row: { ...WHOSE_ROW, attempt: int(), holder: neverNull(uuid()), isFailed: neverNull(bool()) },
})

export type TakenBack = RowOf<typeof TAKE_BACK>

/**
 * Takes back what dead consumers hold, at most `atMost` tasks. Reads every unfinished task: no index knows which run,
 * because every claim and every settle would have to keep it.
 * @param answeredAt the database's own time at its last answer; older than 5 s, nothing is judged
 */
export async function takeBack(
  db: Queryable,
  answeredAt: Date,
  leaseSeconds: number,
  atMost: number,
): Promise<TakenBack[]> {
  return db.query(TAKE_BACK, [answeredAt, leaseSeconds, atMost])
}
