// Promise: what arrives while a batch is under way becomes the next batch, bounded, and one bad item harms no other.
import { describe, expect, test, vi } from 'vitest'
import { type BatchOptions, createBatcher } from '../../src/runtime/batch.ts'

/** A batcher whose batches end when told; an item's result is the item with an exclamation mark. */
function aBatcher(options: Partial<BatchOptions<string, string>> = {}) {
  const batches: string[][] = []
  const ends: (() => void)[] = []
  const batcher = createBatcher<string, string>({
    maxItems: 100,
    maxInFlight: 1,
    run: async (items) => {
      batches.push([...items])
      await new Promise<void>((resolve) => ends.push(resolve))
      return items.map((item) => `${item}!`)
    },
    ...options,
  })
  const endNext = async (): Promise<void> => {
    ends.shift()?.()
    await settled()
  }
  return { batcher, batches, endNext }
}

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

test('what is added at the same moment goes together, and each gets its own result', async () => {
  const { batcher, batches, endNext } = aBatcher()

  const results = Promise.all(['a', 'b', 'c'].map((item) => batcher.add(item)))
  await settled()
  await endNext()

  expect(batches).toEqual([['a', 'b', 'c']])
  expect(await results).toEqual(['a!', 'b!', 'c!'])
})

test('what arrives while a batch is under way becomes the next one', async () => {
  const { batcher, batches, endNext } = aBatcher()
  void batcher.add('a')
  await settled()

  for (const item of ['b', 'c']) void batcher.add(item)
  await settled()
  expect(batches).toEqual([['a']])
  expect(batcher.waiting).toBe(2)

  await endNext()
  expect(batches).toEqual([['a'], ['b', 'c']])
  expect(batcher.waiting).toBe(0)
})

test('as many batches as allowed are under way at once', async () => {
  const { batcher, batches, endNext } = aBatcher({ maxItems: 1, maxInFlight: 2 })

  for (const item of ['a', 'b', 'c']) void batcher.add(item)
  await settled()
  expect(batches).toEqual([['a'], ['b']])

  await endNext()
  expect(batches).toEqual([['a'], ['b'], ['c']])
})

interface Bound {
  readonly bound: string
  readonly options: Partial<BatchOptions<string, string>>
  readonly items: readonly string[]
  readonly batches: readonly (readonly string[])[]
}

const bytesOf = (item: string): number => item.length

const BOUNDS: Bound[] = [
  { bound: 'so many items', options: { maxItems: 2 }, items: ['a', 'b', 'c'], batches: [['a', 'b'], ['c']] },
  {
    bound: 'so many bytes',
    options: { maxBytes: 4, bytesOf },
    items: ['aa', 'bb', 'c'],
    batches: [['aa', 'bb'], ['c']],
  },
  {
    bound: 'so many bytes, except for one item that is larger by itself',
    options: { maxBytes: 4, bytesOf },
    items: ['a', 'large', 'b'],
    batches: [['a'], ['large'], ['b']],
  },
  {
    bound: 'one item per key, the later ones in order',
    options: { keysOf: (item) => [item.charAt(0)] },
    items: ['a1', 'b1', 'a2', 'c1', 'a3'],
    batches: [['a1', 'b1', 'c1'], ['a2'], ['a3']],
  },
]

test.each(BOUNDS)('a batch holds at most $bound', async ({ options, items, batches: expected }) => {
  const { batcher, batches, endNext } = aBatcher(options)

  const results = Promise.all(items.map((item) => batcher.add(item)))
  await settled()
  while (batches.length < expected.length) await endNext()
  await endNext()

  expect(batches).toEqual(expected)
  expect(await results).toEqual(items.map((item) => `${item}!`))
})

test('an item waits for the batch under way that has its key, and nobody overtakes it; others do not wait', async () => {
  const { batcher, batches, endNext } = aBatcher({ maxInFlight: 3, keysOf: (item) => [...item] })
  const all = [batcher.add('k')]
  await settled()

  all.push(batcher.add('kx'), batcher.add('x'), batcher.add('y'))
  await settled()
  expect(batches).toEqual([['k'], ['y']])

  await endNext()
  expect(batches).toEqual([['k'], ['y'], ['kx']])
  while (batches.length < 4) await endNext()
  await endNext()
  expect(batches[3]).toEqual(['x'])
  await Promise.all(all)
})

test('a batch that fails through one item is repeated item by item: only that one is refused', async () => {
  const fault = new Error('bad data')
  const runs: string[][] = []
  const batcher = createBatcher<string, string>({
    maxItems: 100,
    maxInFlight: 1,
    isItemFault: (error) => error === fault,
    run: async (items) => {
      runs.push([...items])
      if (items.includes('bad')) throw fault
      return items.map((item) => `${item}!`)
    },
  })

  const results = await Promise.allSettled(['a', 'bad', 'b'].map((item) => batcher.add(item)))

  expect(results).toEqual([
    { status: 'fulfilled', value: 'a!' },
    { status: 'rejected', reason: fault },
    { status: 'fulfilled', value: 'b!' },
  ])
  expect(runs).toEqual([['a', 'bad', 'b'], ['a'], ['bad'], ['b']])
})

test('a batch that fails for another reason is not repeated, and the next one runs', async () => {
  const outage = new Error('the database is away')
  let runs = 0
  const batcher = createBatcher<string, string>({
    maxItems: 100,
    maxInFlight: 1,
    isItemFault: () => false,
    run: async (items) => {
      runs += 1
      if (runs === 1) throw outage
      return items.map((item) => `${item}!`)
    },
  })

  const failed = await Promise.allSettled(['a', 'b'].map((item) => batcher.add(item)))
  const next = await batcher.add('c')

  expect(failed).toEqual(Array(2).fill({ status: 'rejected', reason: outage }))
  expect(next).toBe('c!')
  expect(runs).toBe(2)
})

describe('a batcher that lingers', () => {
  const LONG = { ms: 60_000, enough: 6 }
  const four = ['a', 'b', 'c', 'd']

  test('waits under load until there is company enough', async () => {
    const { batcher, batches, endNext } = aBatcher({ linger: LONG })
    for (const item of four) void batcher.add(item)
    await settled()
    await endNext()

    for (const item of ['e', 'f', 'g', 'h', 'i']) void batcher.add(item)
    await settled()
    expect(batches).toEqual([four])

    void batcher.add('j')
    await settled()
    expect(batches).toEqual([four, ['e', 'f', 'g', 'h', 'i', 'j']])
  })

  test('waits no longer than it may', async () => {
    const { batcher, batches, endNext } = aBatcher({ linger: { ms: 20, enough: 6 } })
    for (const item of four) void batcher.add(item)
    await settled()
    await endNext()

    void batcher.add('e')

    await vi.waitFor(() => expect(batches).toEqual([four, ['e']]), { timeout: 10_000 })
  })

  test('waits for nobody while there is little to do', async () => {
    const { batcher, batches, endNext } = aBatcher({ linger: LONG })
    void batcher.add('a')
    await settled()
    await endNext()

    void batcher.add('b')
    await settled()

    expect(batches).toEqual([['a'], ['b']])
  })
})
