// Promise: a new reason to wait, or somebody new who is told of an end, is one row of a table: every move heeds it. A toy
// lane holds back what is offered again in its queue; a toy follow-up notes every end, however it came.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { NewTask } from '../../src/core/new-task.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { FOLLOW_UPS, type FollowUp, WAITS, type Wait } from '../../src/store/moves/reasons.ts'
import type { Settlement } from '../../src/store/moves/settle.ts'
import { databaseTime } from '../../src/store/reads/database-time.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

const LANE: Wait = {
  name: 'toy',
  takes: `o.queue = 'held'`,
  enter: 'insert into toy_lane (task_id, attempt) select task_id, attempt + 1 from toy_taken',
  holds: 'exists (select from toy_lane l where l.task_id = u.task_id)',
  leave: 'delete from toy_lane l using ended e where l.task_id = e.task_id',
}
const NOTE: FollowUp = {
  name: 'toy_told',
  tell: 'insert into toy_note (task_id, status) select task_id, next from ended',
}
// Before the statements are made: they are made when their modules are loaded.
;(WAITS as Wait[]).push(LANE)
;(FOLLOW_UPS as FollowUp[]).push(NOTE)
const { accept } = await import('../../src/store/moves/accept.ts')
const { cancelTask } = await import('../../src/store/moves/cancel.ts')
const { claimTasks } = await import('../../src/store/moves/claim.ts')
const { expireTasks } = await import('../../src/store/moves/expire.ts')
const { endLife } = await import('../../src/store/moves/hand-back.ts')
const { parkTasks } = await import('../../src/store/moves/park.ts')
const { redriveTasks } = await import('../../src/store/moves/redrive.ts')
const { reofferLost } = await import('../../src/store/moves/reoffer.ts')
const { settleTasks } = await import('../../src/store/moves/settle.ts')
const { endSilent, takeBack } = await import('../../src/store/moves/take-back.ts')

const ACTOR = { name: 'somebody', requestId: 'r-1', reason: null }
const FAILURE = { error: { name: 'Error', message: 'no luck' }, fingerprint: 'f' }

let database: Database
let db: Db
let life: string
beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 2, name: 'test', log: silentLog })
  await sql('create table toy_lane (task_id uuid primary key, attempt int not null)')
  await sql('create table toy_note (task_id uuid primary key, status text not null)')
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(async () => {
  life = await aLife(db)
})

const sql = <Row>(text: string, ...values: unknown[]) => db.query<Row>({ text }, values)

/** Where the task waits and what was noted of its end. */
async function standOf(id: string): Promise<{ lane: number[]; outbox: number[]; noted: string[] }> {
  const column = (text: string) => `array(select ${text} where task_id = $1 order by 1)`
  const [row] = await sql<{ lane: number[]; outbox: number[]; noted: string[] }>(
    `select ${column('attempt from toy_lane')} as lane, ${column('attempt from outbox')} as outbox,
            ${column('status from toy_note')} as noted`,
    id,
  )
  return row as { lane: number[]; outbox: number[]; noted: string[] }
}

/** A task whose first message has been confirmed. */
async function accepted(change: Partial<NewTask> = {}): Promise<string> {
  const task = aTask(change)
  await accept(db, [task], 0, 'test')
  await sql('delete from outbox where task_id = $1', task.id)
  return task.id
}

async function running(change: Partial<NewTask> = {}): Promise<string> {
  const id = await accepted(change)
  const [claim] = await claimTasks(db, life, [{ id, attempt: 1, deadlineMs: 60_000, publishedAt: undefined }])
  expect(claim?.kind).toBe('claimed')
  return id
}

const settle = (id: string, end: object) =>
  settleTasks(db, life, [{ id, attempt: 1, name: 'trial.echo', client: 'c', ...end } as Settlement])

const RETRYING = { next: 'RETRYING', ...FAILURE, delayMs: 0, onRung: false }
const FAILED = { next: 'FAILED', reason: 'failures', ...FAILURE }

async function dies(): Promise<void> {
  await sql(`update consumer set lease_until = '-infinity' where id = $1`, life)
  const answeredAt = await databaseTime(db)
  expect(await endSilent(db, answeredAt)).toEqual([life])
  expect(await takeBack(db, answeredAt, 60, 10)).toHaveLength(1)
}

/** The ways to be offered again. */
const OFFERS: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
  ['a retry', (id) => settle(id, RETRYING)],
  ['a hand-back of one', (id) => settle(id, { next: 'PENDING', error: null, delayMs: 0 })],
  ['the end of the life', () => endLife(db, life, 'told_to_stop')],
  ['a take-back', dies],
  [
    'a redrive',
    async (id) => {
      await settle(id, FAILED)
      await sql('delete from toy_note')
      expect(await redriveTasks(db, 'everybody', [id], ACTOR)).toEqual([id])
    },
  ],
]

test.for(OFFERS)('%s lets a task of the lane wait there, without a message, and others travel', async ([, offer]) => {
  const held = await running({ queue: 'held' })
  await offer(held)
  expect(await standOf(held)).toEqual({ lane: [2], outbox: [], noted: [] })

  life = await aLife(db)
  const free = await running()
  await offer(free)
  expect(await standOf(free)).toEqual({ lane: [], outbox: [2], noted: [] })
})

test('what waits there is neither lost nor parked, and what is parked goes there', async () => {
  const [held, waiting] = [await running({ queue: 'held' }), await accepted({ queue: 'held' })]
  await settle(held, RETRYING)
  await parkTasks(db, [held, waiting], 1_000)
  await sql(`update unfinished set offered_at = '2020-01-01'`)

  expect(await reofferLost(db, 'held', new Date(), 1, 10)).toEqual([])
  expect(await standOf(held)).toEqual({ lane: [2], outbox: [], noted: [] })
  expect(await standOf(waiting)).toEqual({ lane: [1], outbox: [], noted: [] })
})

/** The ways to end, from RUNNING or from waiting in the lane. */
const ENDS: readonly (readonly [string, string, (id: string) => Promise<unknown>])[] = [
  ['a success', 'SUCCESS', (id) => settle(id, { next: 'SUCCESS', result: '1' })],
  ['a failure', 'FAILED', (id) => settle(id, FAILED)],
  [
    'a cancel in the lane',
    'CANCELLED',
    async (id) => {
      await settle(id, RETRYING)
      await cancelTask(db, 'everybody', id, ACTOR)
    },
  ],
  [
    'an expiry in the lane',
    'FAILED',
    async (id) => {
      await settle(id, RETRYING)
      await sql(`update unfinished set expires_at = '2020-01-01' where task_id = $1`, id)
      await expireTasks(db, 10)
    },
  ],
  [
    'the last death',
    'FAILED',
    async (id) => {
      await sql('update unfinished set crashes = 3 where task_id = $1', id)
      await dies()
    },
  ],
]

test.for(ENDS)('%s is told, once, and leaves the lane', async ([, status, end]) => {
  const id = await running({ queue: 'held' })
  await end(id)
  expect(await standOf(id)).toEqual({ lane: [], outbox: [], noted: [status] })
})
