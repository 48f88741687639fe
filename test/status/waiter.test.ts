// Waiting for ends: one query for all who wait, and nothing left behind.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createWaiter, type Waiter } from '../../src/status/waiter.ts'

const never = new AbortController().signal

async function aWaiter(finishedAmong: (ids: readonly string[]) => Promise<string[]>, atMost?: number): Promise<Waiter> {
  const waiter = createWaiter({ finishedAmong, everyMs: 10, ...(atMost === undefined ? {} : { atMost }) })
  await waiter.start()
  onTestFinished(() => waiter.stop())
  return waiter
}

test('a hundred who wait are one query, and each learns of its own task', async () => {
  const over = new Set<string>()
  const asked: number[] = []
  const waiter = await aWaiter(async (ids) => {
    asked.push(ids.length)
    return ids.filter((id) => over.has(id))
  })

  const waits = Array.from({ length: 100 }, (_, index) => waiter.waitForEnd(`t${index % 50}`, 200, never))
  over.add('t7')

  expect((await Promise.all(waits)).filter(Boolean)).toHaveLength(2)
  expect(Math.max(...asked)).toBe(50)
  expect(asked.length).toBeLessThan(30)
  expect(waiter.waiting).toBe(0)
})

test('a client that goes away leaves nothing behind, and nobody is asked about it any more', async () => {
  let asked = 0
  const waiter = await aWaiter(async () => {
    asked += 1
    return []
  })
  const client = new AbortController()

  const wait = waiter.waitForEnd('t', 60_000, client.signal)
  client.abort()

  expect(await wait).toBe(false)
  expect(waiter.waiting).toBe(0)
  const before = asked
  await sleep(50)
  expect(asked - before).toBeLessThanOrEqual(1)
})

test('stopping ends every wait', async () => {
  const waiter = await aWaiter(async () => [])
  const wait = waiter.waitForEnd('t', 60_000, never)

  await waiter.stop()

  expect(await wait).toBe(false)
  expect(await waiter.waitForEnd('t', 60_000, never)).toBe(false)
})

test('a database that goes away for a moment does not end the waiting', async () => {
  let asked = 0
  const waiter = await aWaiter(async () => {
    asked += 1
    if (asked < 3) throw new Error('away')
    return ['t']
  })

  expect(await waiter.waitForEnd('t', 5_000, never)).toBe(true)
})

test('beyond the limit nobody waits', async () => {
  const waiter = await aWaiter(async () => [], 1)
  const first = waiter.waitForEnd('a', 100, never)

  expect(await Promise.race([waiter.waitForEnd('b', 60_000, never), sleep(50, 'waited')])).toBe(false)
  await first
})
