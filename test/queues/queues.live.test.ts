// Promise: the queues are looked at once for all who ask. What the broker or the database does not tell is last known and
// then unknown, on which the door falls back to the outbox; what is accepted meanwhile is counted beside it.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMonitor, type Monitor } from '../../src/admission/monitor.ts'
import { createDepthProbe, type DepthProbe } from '../../src/broker/depth.ts'
import { topologyOf } from '../../src/broker/topology.ts'
import { Queues } from '../../src/queues/queues.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Db, openDb } from '../../src/store/db.ts'
import { aVhost, type Vhost } from '../support/broker.ts'
import { aDatabase, type Database } from '../support/database.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { until } from '../support/until.ts'

const NAMES = ['mail', 'reports']
const LIMITS = { knownMs: 1_000, forgottenMs: 1_500 }

let database: Database
let vhost: Vhost
let toPostgres: FaultProxy
let toBroker: FaultProxy
let db: Db
let own: Db
let depth: DepthProbe
let queues: Queues
let monitor: Monitor
let published: 'ready' | 'connecting'

beforeEach(async () => {
  database = await aDatabase()
  vhost = await aVhost()
  toPostgres = await startFaultProxy({ targetPort: Number(new URL(database.url).port) })
  toBroker = await startFaultProxy({ targetPort: Number(new URL(vhost.url).port) })
  own = openDb({ url: database.url, poolSize: 1, name: 'test', log: silentLog })
  db = openDb({ url: toPostgres.url(database.url), poolSize: 2, name: 'queues', log: silentLog, queryTimeoutMs: 1_000 })
  const topology = topologyOf(NAMES, [])
  depth = createDepthProbe({ url: toBroker.url(vhost.url), name: 'depth', log: silentLog, topology })
  published = 'ready'
  const publisher = {
    get state() {
      return published
    },
  }
  queues = new Queues({ db, depth, queues: NAMES, links: [depth.link], log: silentLog, everyMs: 100, limits: LIMITS })
  monitor = createMonitor({
    db,
    queues,
    publisher,
    slotsPerConsumer: new Map([['mail', 4]]),
    name: 'test',
    log: silentLog,
  })
  await depth.link.start()
  await queues.start()
  await monitor.start()
})

afterEach(async () => {
  toBroker.pass()
  toPostgres.pass()
  await monitor.stop()
  await queues.stop()
  await depth.link.stop()
  await Promise.all([db.close(), own.close()])
  await Promise.all([toPostgres.stop(), toBroker.stop()])
  await Promise.all([vhost.drop(), database.drop()])
})

/** Leaves due rows in the outbox that nobody publishes. */
async function fillOutbox(queue: string, rows: number): Promise<void> {
  const text = `insert into outbox (task_id, attempt, queue, created_at, due_at, claimed_until)
     select gen_random_uuid(), 1, $1, now(), now(), now() + interval '1 h' from generate_series(1, $2)`
  await own.query({ text }, [queue, rows])
}

const untilLoad = (queue: string, state: string, due?: number) =>
  until(`the load of ${queue} to be ${state}`, async () => {
    const load = queues.load(queue)
    return load.state === state && (due === undefined || (load.state !== 'unknown' && load.value.due === due)) && load
  })

test('the first look is taken before it has started, and the next find what has changed', async () => {
  const first = queues.load('mail')
  await fillOutbox('mail', 3)
  const later = await untilLoad('mail', 'known', 3)

  const at = expect.any(Number)
  expect(first).toEqual({ state: 'known', value: { ready: 0, consumers: 0, due: 0 }, at })
  expect(later).toEqual({ state: 'known', value: { ready: 0, consumers: 0, due: 3 }, at })
  expect(queues.load('reports')).toMatchObject({ state: 'known', value: { due: 0 } })
  expect(queues.load('no-such-queue')).toEqual({ state: 'unknown' })
  expect(monitor.figuresOf('mail')).toMatchObject({ backlog: 3, basis: 'depth' })
})

test('the figures of one look are told together, so that they add up', async () => {
  const atOutbox = toPostgres.holdRequest((bytes) => bytes.includes('outbox_state'))
  await atOutbox.reached
  const atRunning = toPostgres.holdRequest((bytes) => bytes.includes('running_by_queue'))
  await fillOutbox('mail', 3)
  atOutbox.release()
  await atRunning.reached
  const meanwhile = [queues.load('mail'), queues.outbox()]
  atRunning.release()
  await untilLoad('mail', 'known', 3)

  expect(meanwhile).toMatchObject([{ value: { due: 0 } }, { value: { dueRows: 0 } }])
  expect(queues.outbox()).toMatchObject({ state: 'known', value: { dueRows: 3 } })
})

test('without the broker the load is last known, then unknown, and the door goes by the outbox', async () => {
  await fillOutbox('mail', 2)
  await untilLoad('mail', 'known', 2)

  toBroker.refuse()
  const before = await untilLoad('mail', 'last_known')
  await untilLoad('mail', 'unknown')

  expect(before).toMatchObject({ value: { ready: 0, due: 2 } })
  expect(queues.outbox()).toMatchObject({ state: 'known', value: { dueRows: 2 } })
  expect(queues.databaseTrouble).toBeUndefined()
  expect(monitor.figuresOf('mail')).toMatchObject({ backlog: 2, basis: 'outbox', slots: undefined })
  toBroker.pass()
  await untilLoad('mail', 'known')
})

test('without the database nothing is known any more, and the reason is told', async () => {
  toPostgres.blackhole('both')
  await untilLoad('mail', 'unknown')
  await until('the outbox to be unknown', async () => queues.outbox().state === 'unknown')
  await until('the look to fail', async () => queues.databaseTrouble !== undefined)

  expect(queues.databaseTrouble).toMatch(/no answer within|timeout/)
  expect(monitor.figuresOf('mail')).toMatchObject({ backlog: undefined, basis: 'unknown' })
})

test('a missing queue is not known, and the others are', async () => {
  await own.query({ text: 'select 1' })
  const missing = new Queues({ db, depth, queues: ['mail', 'never-declared', 'reports'], links: [], log: silentLog })
  await missing.start()

  expect([missing.load('mail').state, missing.load('never-declared').state]).toEqual(['known', 'unknown'])
  await until('the queue behind the missing one to be known', async () => missing.load('reports').state === 'known')
  await missing.stop()
})

test('while the publisher is not connected the door goes by the outbox, whatever the queue holds', async () => {
  await fillOutbox('reports', 5)
  await until('the outbox to be counted', async () => {
    const outbox = queues.outbox()
    return outbox.state === 'known' && outbox.value.dueRows === 5
  })

  published = 'connecting'

  expect(monitor.figuresOf('mail')).toMatchObject({ backlog: 5, basis: 'outbox' })
})

test('what is accepted between two looks counts, and not twice after the next', async () => {
  for (let n = 0; n < 7; n++) monitor.count('mail', 1)
  const between = [queues.acceptedSince('mail'), queues.allAcceptedSince]
  const backlog = monitor.figuresOf('mail').backlog
  await until('a look to see them', async () => queues.acceptedSince('mail') === 0)

  expect(between).toEqual([7, 7])
  expect(backlog).toBe(7)
  expect(monitor.figuresOf('mail').backlog).toBe(0)
})

test('with more api processes alive, what this one has accepted stands for what each has', async () => {
  await own.query({ text: `insert into api_process (id, name, seen_at) values (gen_random_uuid(), 'other', now())` })
  await until('the other process to be seen', async () => monitor.replicas === 2)
  const before = monitor.figuresOf('mail').backlog as number
  const since = queues.acceptedSince('mail')

  for (let n = 0; n < 7; n++) monitor.count('mail', 1)

  expect(since).toBe(0)
  expect(monitor.figuresOf('mail').backlog).toBe(before + 14)
})
