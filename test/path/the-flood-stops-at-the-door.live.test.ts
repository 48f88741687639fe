// Promise: when one client floods several api processes at once, it gets the 429 and the others go on getting 202; who
// comes again when told to is let in, the queue stays at its mark, another queue that stands still refuses nobody here,
// nothing accepted is lost, and afterwards anybody can read who it was.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createManagement } from '../../scripts/servers/management.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { createApiKey } from '../../src/store/api-keys.ts'
import { openDb } from '../../src/store/db.ts'
import { type ApiProcess, call, withNightshift } from '../support/nightshift.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'

const HIGH = 400
const FIVE = ['a', 'b', 'c', 'd', 'e']

let end: AbortController
const nightshift = withNightshift(async () => {
  end = new AbortController()
  return {
    env: {
      NIGHTSHIFT_AUTH: 'on',
      NIGHTSHIFT_DEPTH_LOW: '300',
      NIGHTSHIFT_DEPTH_HIGH: String(HIGH),
      NIGHTSHIFT_QUEUES: 'trial:8,stuck:1',
      // As in life: consumers say what they have begun once in three seconds.
      NIGHTSHIFT_LEASE_SECONDS: '10',
    },
  }
})
afterEach(async () => {
  end.abort()
})

interface Client {
  readonly name: string
  readonly headers: { readonly authorization: string }
  /** Takes one of the api processes for the next request. */
  readonly next: () => ApiProcess
  readonly accepted: string[]
  /** What each refused request was told to wait, in seconds. */
  readonly refused: number[]
}

/** Sends one task of 200 ms. Returns undefined when it is accepted, else the seconds to wait. */
async function send(client: Client): Promise<number | undefined> {
  const task = { name: 'trial.sleep', payload: { ms: 200 } }
  const { status, headers, body } = await call(client.next(), 'POST', '/api/v1/tasks', task, client.headers)
  if (status === 202) {
    client.accepted.push(body.id)
    return undefined
  }
  expect(status).toBe(429)
  const seconds = Number(headers.get('retry-after'))
  client.refused.push(seconds)
  return seconds
}

/** Sends at a pace, as far as the machine keeps up, until the signal aborts; what is refused is dropped. */
async function keepSending(client: Client, perSecond: number, end: AbortSignal): Promise<void> {
  const open = new Set<Promise<unknown>>()
  const began = performance.now()
  for (let sent = 0; !end.aborted; await sleep(10)) {
    for (const due = ((performance.now() - began) / 1_000) * perSecond; sent < due && open.size < 200; sent++) {
      const one = send(client)
      open.add(one)
      void one.finally(() => open.delete(one))
    }
  }
  await Promise.all(open)
}

/** Sends many at once; each that is refused comes again when it is told to, until it is let in. Counts who came again. */
async function sendAndObey(client: Client, tasks: number): Promise<{ again: number; letIn: number }> {
  const counts = { again: 0, letIn: 0 }
  const obey = async (): Promise<void> => {
    for (let wait = await send(client); wait !== undefined; ) {
      await sleep(wait * 1_000)
      counts.again += 1
      wait = await send(client)
      if (wait === undefined) counts.letIn += 1
    }
  }
  await Promise.all(Array.from({ length: tasks }, obey))
  return counts
}

/** Sends tasks to the queue that nobody works on, and tells how many were accepted. */
async function sendToStuck(api: ApiProcess, { headers }: Client, tasks: number): Promise<number> {
  const batch = Array.from({ length: tasks }, () => ({ name: 'trial.echo', payload: 1, queue: 'stuck' }))
  const { body } = await call(api, 'POST', '/api/v1/tasks/batch', batch, headers)
  const answers = body as { accepted: boolean; problem?: { status: number } }[]
  expect(answers.filter(({ accepted, problem }) => !accepted && problem?.status !== 429)).toEqual([])
  return answers.filter(({ accepted }) => accepted).length
}

async function clientsOf(apis: readonly ApiProcess[]): Promise<(name: string) => Client> {
  const db = openDb({ url: nightshift.databaseUrl, poolSize: 1, name: 'test', log: silentLog })
  const clients = new Map<string, Client>()
  for (const [index, name] of [...FIVE, 'patient', 'flooder'].entries()) {
    const key = await createApiKey(db, name, ['submit', 'operate'], null)
    // The five keep a connection open, so each speaks to one process only; the others are spread over all.
    let at = index
    const next = (): ApiProcess => apis[(FIVE.includes(name) ? index : at++) % apis.length] as ApiProcess
    clients.set(name, { name, headers: { authorization: `Bearer ${key}` }, next, accepted: [], refused: [] })
  }
  await db.close()
  return (name) => clients.get(name) as Client
}

interface Sum {
  readonly client: string
  readonly task: string
  readonly accepted: number
  readonly refused: number
}

async function waiting(queue: string): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from unfinished where queue = $1 and status <> 'RUNNING'`,
    [queue],
  )
  return rows[0]?.tasks as number
}

async function succeeded(ids: readonly string[]): Promise<number> {
  const rows = await nightshift.sql<{ tasks: number }>(
    `select count(*)::int as tasks from finished where task_id = any($1) and status = 'SUCCESS'`,
    [ids],
  )
  return rows[0]?.tasks as number
}

test('one client floods three api processes at twenty times the drain while five behave', async () => {
  const [first, second] = await Promise.all([
    nightshift.startApi(),
    nightshift.startApi(),
    nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:8' }),
  ])
  const apis: ApiProcess[] = [first, second]
  const clientOf = await clientsOf(apis)
  const [five, patient, flooder] = [FIVE.map(clientOf), clientOf('patient'), clientOf('flooder')] as const
  const clients = [...five, patient, flooder]

  // Nobody works on the other queue, and it is filled until little more comes in.
  let stuck = 0
  let toStuck = 0
  const fill = async (api: number, tasks: number): Promise<number> => {
    const accepted = await sendToStuck(apis[api] as ApiProcess, flooder, tasks)
    stuck += accepted
    toStuck += tasks
    return accepted
  }
  const fillMore = async (): Promise<boolean> => {
    await fill(0, HIGH)
    return stuck >= HIGH * 0.9
  }
  await until('the other queue to be full', fillMore, { everyMs: 500 })
  const filled = stuck
  // A process that joins knows from its first request on that it is full.
  apis.push(await nightshift.startApi())
  const joined = await fill(2, HIGH)

  // Eight slots of 200 ms work off 40 a second; five clients use 15 of them.
  const calm = five.map((client) => keepSending(client, 3, end.signal))
  await until('the five to be known', () => five.every(({ accepted }) => accepted.length >= 24))
  const flood = keepSending(flooder, 800, end.signal)
  await until('the queue to be full', async () => (await waiting('trial')) >= HIGH * 0.9)
  const management = createManagement(shared().managementUrl)
  const alarms = new Set<boolean>()
  let most = 0
  const watch = (async () => {
    for (; !end.signal.aborted; await sleep(200)) {
      most = Math.max(most, await waiting('trial'))
      const nodes = (await management.call('GET', 'nodes?columns=mem_alarm')) as { mem_alarm: boolean }[]
      for (const node of nodes) alarms.add(node.mem_alarm)
    }
  })()
  // By then the consumer has said how fast it works while it has enough to do.
  await until('work at full speed', async () => Number((await nightshift.outcomes()).SUCCESS) >= 280)
  const { again, letIn } = await sendAndObey(patient, 60)
  end.abort()
  await Promise.all([...calm, flood, watch])
  const still = await fill(0, HIGH)

  const [theirs, theirRefusals] = [five.flatMap(({ accepted }) => accepted), five.flatMap(({ refused }) => refused)]
  expect(theirs.length / (theirs.length + theirRefusals.length)).toBeGreaterThanOrEqual(0.99)
  expect(flooder.refused.length).toBeGreaterThan(flooder.accepted.length)
  expect(clients.flatMap(({ refused }) => refused).filter((seconds) => !(seconds >= 1 && seconds <= 360))).toEqual([])
  expect(again).toBeGreaterThan(10)
  expect(letIn / again).toBeGreaterThan(0.6)
  expect(most).toBeLessThanOrEqual(HIGH * 1.1)
  expect(filled).toBeLessThanOrEqual(HIGH * 1.1)
  expect(joined).toBeLessThan(HIGH / 4)
  expect(still).toBeLessThan(HIGH / 4)
  expect(alarms).toEqual(new Set([false]))
  expect(apis.flatMap(({ log }) => log).filter(({ msg }) => msg === 'broker blocks publishers')).toEqual([])

  // Everything accepted is worked off, faster with more slots; the queue that stands still keeps what it has.
  await nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:100' })
  const ids = clients.flatMap(({ accepted }) => accepted)
  await until('all accepted to succeed', async () => (await succeeded(ids)) === ids.length, { withinMs: 60_000 })
  expect(await waiting('stuck')).toBe(stuck)

  // Each process has counted its part and writes it down when it ends; one that comes later can tell the sum.
  for (const api of apis) api.kill('SIGTERM')
  await Promise.all(apis.map(({ exit }) => exit))
  const later = await nightshift.startApi()
  const { body } = await call(later, 'GET', '/api/v1/bursts?since=10m', undefined, flooder.headers)
  const printed = await nightshift.command('bursts', '--since', '10m')
  const sums = (body.items as Sum[]).map(({ client, task, accepted, refused }) => ({ client, task, accepted, refused }))
  const expected: Sum[] = clients.map(({ name, accepted, refused }) => {
    return { client: name, task: 'trial.sleep', accepted: accepted.length, refused: refused.length }
  })
  const toOther = { client: 'flooder', task: 'trial.echo', accepted: stuck, refused: toStuck - stuck }
  expect(sums[0]).toEqual(expected.at(-1))
  expect(new Set(sums)).toEqual(new Set([...expected, toOther]))
  expect(printed.split('\n')[1]).toMatch(
    new RegExp(`^ +${flooder.accepted.length} +${flooder.refused.length} .* flooder  trial.sleep `),
  )
})
