// Promise: when one client floods, it gets the 429 and the others go on getting 202; nothing accepted is lost, the queue
// stays at its mark, and who comes again when told to is let in.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { createApiKey } from '../../src/store/api-keys.ts'
import { openDb } from '../../src/store/db.ts'
import { type ApiProcess, aNightshift, call, type Nightshift } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { until } from '../support/until.ts'

failOnLeftovers()
let nightshift: Nightshift
beforeEach(async () => {
  nightshift = await aNightshift({
    env: {
      NIGHTSHIFT_AUTH: 'on',
      NIGHTSHIFT_DEPTH_LOW: '150',
      NIGHTSHIFT_DEPTH_HIGH: '200',
      NIGHTSHIFT_QUEUES: 'trial:8,conversations:1',
    },
  })
})
afterEach(() => nightshift.remove())

async function keysOf(clients: readonly string[]): Promise<Map<string, string>> {
  const db = openDb({ url: nightshift.databaseUrl, poolSize: 1, name: 'test', log: silentLog })
  const keys = new Map<string, string>()
  for (const client of clients) keys.set(client, await createApiKey(db, client, ['submit', 'operate'], null))
  await db.close()
  return keys
}

interface Tally {
  sent: number
  readonly accepted: string[]
  readonly refused: number[]
  /** Of those who came again when told to: how many came, how many were let in. */
  again: number
  againIn: number
}

/** Sends at a pace until the signal aborts; a refused request of an obedient client comes again when it is told to. */
async function traffic(
  api: ApiProcess,
  key: string,
  { perSecond, obeys, until: end }: { perSecond: number; obeys: boolean; until: AbortSignal },
): Promise<Tally> {
  const tally: Tally = { sent: 0, accepted: [], refused: [], again: 0, againIn: 0 }
  const open = new Set<Promise<void>>()
  const send = async (isAgain: boolean): Promise<void> => {
    if (isAgain) tally.again += 1
    else tally.sent += 1
    const { status, headers, body } = await call(
      api,
      'POST',
      '/api/v1/tasks',
      { name: 'trial.sleep', payload: { ms: 200 } },
      { authorization: `Bearer ${key}` },
    )
    if (status === 202) {
      tally.accepted.push(body.id)
      if (isAgain) tally.againIn += 1
      return
    }
    expect(status).toBe(429)
    tally.refused.push(Number(headers.get('retry-after')))
    if (!obeys || end.aborted) return
    await sleep(Number(headers.get('retry-after')) * 1_000, undefined, { signal: end }).catch(() => undefined)
    if (!end.aborted) await send(true)
  }
  const began = performance.now()
  while (!end.aborted) {
    const due = ((performance.now() - began) / 1_000) * perSecond
    while (tally.sent < due && open.size < 200) {
      const one = send(false)
      open.add(one)
      void one.finally(() => open.delete(one))
    }
    await sleep(10)
  }
  await Promise.all(open)
  return tally
}

const backlog = async (): Promise<number> => {
  const rows = await nightshift.sql<{ waiting: number }>(
    `select count(*)::int as waiting from unfinished where status <> 'RUNNING'`,
  )
  return rows[0]?.waiting ?? 0
}

test('one client floods at twenty times the drain while five behave', async () => {
  const api = await nightshift.startApi()
  await nightshift.startConsumer()
  const five = ['a', 'b', 'c', 'd', 'e']
  const keys = await keysOf([...five, 'flooder'])
  const keyOf = (client: string): string => keys.get(client) as string
  const end = new AbortController()

  // Eight slots of 200 ms work off 40 a second; five clients use some 15 of them.
  const calm = five.map((client) => traffic(api, keyOf(client), { perSecond: 3, obeys: false, until: end.signal }))
  await until(
    'the drain to be measured',
    async () => (await nightshift.sql<{ n: number }>('select count(*)::int as n from finished'))[0]?.n ?? 0 > 200,
  )
  await sleep(8_000)
  const flood = traffic(api, keyOf('flooder'), { perSecond: 800, obeys: false, until: end.signal })
  let most = 0
  for (const stop = performance.now() + 20_000; performance.now() < stop; await sleep(200))
    most = Math.max(most, await backlog())
  end.abort()
  const tallies = await Promise.all(calm)
  const flooder = await flood

  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const theirs = sum(tallies.map(({ accepted }) => accepted.length)) / sum(tallies.map(({ sent }) => sent))
  expect(theirs).toBeGreaterThanOrEqual(0.99)
  expect(flooder.refused.length).toBeGreaterThan(flooder.accepted.length)
  expect(flooder.refused.every((seconds) => seconds >= 1)).toBe(true)
  expect(most).toBeLessThanOrEqual(220)

  await nightshift.untilAllFinished()
  const ids = [...tallies.flatMap(({ accepted }) => accepted), ...flooder.accepted]
  const [row] = await nightshift.sql<{ done: number }>(
    `select count(*)::int as done from finished where task_id = any($1) and status = 'SUCCESS'`,
    [ids],
  )
  expect(row?.done).toBe(ids.length)
})
