// Promise: due rows of the outbox are claimed oldest first, by one process at a time and without waiting for another. What the
// broker did not take comes again later and later, and a late row neither changes how long its rung waits nor looks lost.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { NewTask } from '../../src/core/new-task.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { claimTasks } from '../../src/store/moves/claim.ts'
import { claimDue, postponeOutbox, settleOutbox } from '../../src/store/moves/outbox.ts'
import { databaseTime } from '../../src/store/reads/database-time.ts'
import { aLife } from '../support/a-life.ts'
import { aTask } from '../support/a-task.ts'
import { aDatabase, type Database } from '../support/database.ts'

let database: Database
let db: Db

beforeAll(async () => {
  database = await aDatabase()
  db = openDb({ url: database.url, poolSize: 2, name: 'test', log: silentLog })
})

afterAll(async () => {
  await db.close()
  await database.drop()
})

beforeEach(async () => {
  await sql('delete from outbox')
})

const sql = <Row = Record<string, unknown>>(text: string, ...values: unknown[]) => db.query<Row>({ text }, values)

interface Waiting {
  readonly task: NewTask
  readonly outboxId: string
}

/** An accepted task, whose row was due and made so many seconds ago and is not claimed. */
async function aRow(secondsAgo = 0, change: Partial<NewTask> = {}): Promise<Waiting> {
  const task = aTask(change)
  const [answer] = await accept(db, [task], 0, 'test')
  if (answer?.kind !== 'accepted') throw new Error(`not accepted: ${answer?.kind}`)
  const { outboxId } = answer
  const age = `update outbox set due_at = due_at - $2 * interval '1 s', created_at = created_at - $2 * interval '1 s'
                where id = $1`
  await sql(age, outboxId, secondsAgo)
  return { task, outboxId }
}

/** A row for a rung of so many seconds, made so many seconds ago. */
async function aRung(seconds: number, secondsAgo: number): Promise<Waiting> {
  const row = await aRow(secondsAgo)
  await sql('update outbox set rung_ms = $2 where id = $1', row.outboxId, seconds * 1_000)
  return row
}

const claimedIds = async (atMost = 10, claimSeconds = 60) =>
  (await claimDue(db, atMost, claimSeconds)).map(({ outboxId }) => outboxId)

interface Row {
  readonly created_at: Date
  readonly due_at: Date
  readonly tries: number
  readonly rung_ms: string
}

async function rowOf({ outboxId }: Waiting): Promise<Row> {
  return (await sql<Row>('select * from outbox where id = $1', outboxId))[0] as Row
}

test('a row that is claimed carries what its message needs', async () => {
  const { task, outboxId } = await aRow(0, { tracestate: 'x=y', queue: 'other' })
  await sql('update outbox set alone = true, attempt = 3 where id = $1', outboxId)

  const { id, name, client, requestId, traceparent } = task
  expect(await claimDue(db, 10, 60)).toEqual([
    {
      ...{ outboxId, taskId: id, attempt: 3, queue: 'other', rungMs: 0, alone: true, late: false },
      ...{ name, client, requestId, traceparent, tracestate: 'x=y' },
    },
  ])
})

test('the oldest are claimed first, and no more than asked for', async () => {
  const rows = [await aRow(1), await aRow(3), await aRow(4), await aRow(2)]
  const [first, third, fourth, second] = rows.map(({ outboxId }) => outboxId)

  expect(await claimedIds(2)).toEqual([fourth, third])
  expect(await claimedIds(2)).toEqual([second, first])
  expect(await claimedIds(2)).toEqual([])
})

test('what is not due is not claimed', async () => {
  await aRow(-60)
  const due = await aRow()

  expect(await claimedIds()).toEqual([due.outboxId])
})

test('a row is left to the process that claimed it for as long as it said, and is free afterwards', async () => {
  const { outboxId } = await aRow()
  const before = await databaseTime(db)
  expect(await claimedIds(10, 30)).toEqual([outboxId])
  const after = await databaseTime(db)

  expect(await claimedIds()).toEqual([])
  const [claim] = await sql<{ claimed_until: Date }>('select claimed_until from outbox')
  expect(Number(claim?.claimed_until)).toBeGreaterThanOrEqual(before.getTime() + 30_000)
  expect(Number(claim?.claimed_until)).toBeLessThanOrEqual(after.getTime() + 30_000)

  await sql('update outbox set claimed_until = clock_timestamp()')
  expect(await claimedIds()).toEqual([outboxId])
})

test('rows that another process holds at this moment are skipped and not waited for', async () => {
  const [held, free] = [await aRow(2), await aRow(1)]

  const meanwhile = await db.transaction(async ({ raw }) => {
    await raw('select from outbox where id = $1 for update', [held.outboxId])
    return claimedIds()
  })

  expect(meanwhile).toEqual([free.outboxId])
  expect(await claimedIds()).toEqual([held.outboxId])
})

test('what the broker did not take comes again after 1 s, doubling to 60 s, and its claim is over', async () => {
  const row = await aRow()
  const beside = await aRow()
  const untouched = await rowOf(beside)
  for (const [tries, seconds] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
    await sql('update outbox set due_at = created_at where id = $1', row.outboxId)
    expect(await claimedIds(1)).toEqual([row.outboxId])
    const before = await databaseTime(db)
    await postponeOutbox(db, [row.outboxId])
    const after = await databaseTime(db)

    const { due_at: due, tries: tried } = await rowOf(row)
    expect(tried).toBe(tries + 1)
    expect(Number(due)).toBeGreaterThanOrEqual(before.getTime() + seconds * 1_000)
    expect(Number(due)).toBeLessThanOrEqual(after.getTime() + seconds * 1_000)
    expect(await sql('select claimed_until > now() as claimed from outbox where id = $1', row.outboxId)).toEqual([
      { claimed: false },
    ])
  }
  expect(await rowOf(beside)).toEqual(untouched)
})

test('a row is late when it was due more than 5 s ago or was tried before; a rung never is', async () => {
  const [late, onTime, tried, rung] = [await aRow(5.1), await aRow(2), await aRow(), await aRung(600, 6)]
  await sql('update outbox set tries = 1 where id = any($1)', [tried.outboxId, rung.outboxId])

  const rows = new Map((await claimDue(db, 10, 60)).map((row) => [row.outboxId, row.late]))

  expect([late, onTime, tried, rung].map(({ outboxId }) => rows.get(outboxId))).toEqual([true, false, true, false])
})

/** When a task counts as offered. */
async function offeredAt({ task }: Waiting): Promise<number> {
  const [row] = await sql<{ offered_at: Date }>('select offered_at from unfinished where task_id = $1', task.id)
  return Number(row?.offered_at)
}

test('a confirmed row goes; the task of a late one counts as offered from then on', async () => {
  const [late, onTime, other] = [await aRow(), await aRow(), await aRow()]
  const offered = await offeredAt(onTime)
  const before = await databaseTime(db)

  await settleOutbox(db, [late.outboxId, onTime.outboxId], [late.outboxId])

  expect(await offeredAt(late)).toBeGreaterThanOrEqual(before.getTime())
  expect(await offeredAt(onTime)).toBe(offered)
  expect(await sql('select id from outbox')).toEqual([{ id: other.outboxId }])

  await settleOutbox(db, [other.outboxId], [])
  expect(await sql('select id from outbox')).toEqual([])
  expect(await offeredAt(other)).toBeLessThanOrEqual(before.getTime())
})

test('when a late row is confirmed, neither a task that runs nor one that is held is touched or waited for', async () => {
  const [runs, held] = [await aRow(), await aRow()]
  const consumer = await aLife(db)
  await claimTasks(db, consumer, [{ id: runs.task.id, attempt: 1, deadlineMs: 60_000, publishedAt: undefined }])
  const before = [await offeredAt(runs), await offeredAt(held)]
  const ids = [runs.outboxId, held.outboxId]

  await db.transaction(async ({ raw }) => {
    await raw('select from unfinished where task_id = $1 for update', [held.task.id])
    await settleOutbox(db, ids, ids)
  })

  expect([await offeredAt(runs), await offeredAt(held)]).toEqual(before)
  expect(await sql('select id from outbox')).toEqual([])
})

test('a rung is published as a rung for 5 s, or a tenth of its wait', async () => {
  const rows = [await aRung(10, 2), await aRung(600, 40)]

  const claimed = await claimDue(db, 10, 60)

  expect(new Map(claimed.map(({ outboxId, rungMs }) => [outboxId, rungMs]))).toEqual(
    new Map(rows.map(({ outboxId }, index) => [outboxId, [10_000, 600_000][index]])),
  )
})

test.for([
  [10, 6],
  [600, 61],
] as const)('a rung of %i s that was not published for %i s waits out the rest in the outbox', async ([wait, ago]) => {
  const row = await aRung(wait, ago)
  const { created_at: made } = await rowOf(row)

  expect(await claimedIds()).toEqual([])
  const { due_at: due, rung_ms: rung } = await rowOf(row)
  expect([due, rung]).toEqual([new Date(made.getTime() + wait * 1_000), '0'])
  expect(await claimedIds()).toEqual([])

  await sql('update outbox set due_at = clock_timestamp()')
  expect(await claimDue(db, 10, 60)).toMatchObject([{ outboxId: row.outboxId, rungMs: 0 }])
})

test('the commit of what was confirmed is not waited for', async () => {
  const { outboxId } = await aRow()

  const during = await db.transaction(async (connection) => {
    await settleOutbox(connection, [outboxId], [])
    return (await connection.raw(`select current_setting('synchronous_commit') as commit`)).rows
  })

  expect(during).toEqual([{ commit: 'off' }])
})
