/**
 * Group commit: what arrives while earlier batches are under way becomes the next batch. No timer, so an idle system
 * pays no wait, and a busy one fills its batches by itself (1 row when idle, some 35 at 64 requests in flight, some 100
 * at 256, on two cores).
 */
import type { Caller } from './tracing/contract.ts'
import { tracing } from './tracing.ts'

export interface BatchOptions<Item, Result> {
  /** What a batch does, for its span; without it batches are not traced. */
  readonly name?: string
  /** Runs one batch; results are in the order of the items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly maxItems: number
  /** The sum of `bytesOf` in one batch stays below this, unless one item alone is larger. */
  readonly maxBytes?: number
  readonly bytesOf?: (item: Item) => number
  /** How many batches may be under way at once, 1 or more. */
  readonly maxInFlight: number
  /** Under load a batch waits for company; without it none does. */
  readonly linger?: Linger
  /**
   * Of two items that share a key the second waits until the batch of the first has ended: the first one counts, always.
   */
  readonly keysOf?: (item: Item) => readonly string[]
  /** Tells whether a failed batch is worth repeating item by item: true when one item's data may be the cause. */
  readonly isItemFault?: (error: unknown) => boolean
}

/** While batches have several items, the next waits until it has `enough` of them, or its oldest has waited `ms`. */
export interface Linger {
  readonly ms: number
  readonly enough: number
}

export interface Batcher<Item, Result> {
  /** Adds an item and resolves with its result, or rejects with the error of its batch. */
  add(item: Item): Promise<Result>
  /** How many items wait for a batch. */
  readonly waiting: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
  readonly caller: Caller
}

/** A batch of so many tells that there is load. */
const SEVERAL = 4

export function createBatcher<Item, Result>(options: BatchOptions<Item, Result>): Batcher<Item, Result> {
  const queue: Waiting<Item, Result>[] = []
  const { linger } = options
  let inFlight = 0
  let scheduled = false
  let lingering: NodeJS.Timeout | undefined
  /** How many items the batch before had. */
  let lastSize = 0
  /** Since when the queue is not empty, by the monotonic clock. */
  let oldestAt = 0
  /** Of the batches under way. */
  const keys = new Set<string>()

  /** Takes the next batch; empty when all that waits is held back by its keys. */
  function take(): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = []
    const held: Waiting<Item, Result>[] = []
    // Of what is held too, so that a third does not overtake the second.
    const heldKeys = new Set<string>()
    let bytes = 0
    while (queue.length > 0 && batch.length < options.maxItems) {
      const next = queue[0] as Waiting<Item, Result>
      const size = options.bytesOf?.(next.item) ?? 0
      if (batch.length > 0 && options.maxBytes !== undefined && bytes + size > options.maxBytes) break
      queue.shift()
      const own = options.keysOf?.(next.item) ?? []
      if (own.some((key) => keys.has(key) || heldKeys.has(key))) {
        held.push(next)
        for (const key of own) heldKeys.add(key)
        continue
      }
      for (const key of own) keys.add(key)
      bytes += size
      batch.push(next)
    }
    queue.unshift(...held)
    return batch
  }

  async function runBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item)
      const results = await tracing.batch(options.name, batch, items, options.run)
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
    } catch (error) {
      if (batch.length > 1 && options.isItemFault?.(error)) {
        for (const one of batch) await runBatch([one])
        return
      }
      for (const { reject } of batch) reject(error)
    }
  }

  function flush(): void {
    scheduled = false
    while (inFlight < options.maxInFlight && queue.length > 0 && !waitsForCompany()) {
      const batch = take()
      if (batch.length === 0) return
      inFlight += 1
      lastSize = batch.length
      oldestAt = performance.now()
      void runBatch(batch).finally(() => {
        inFlight -= 1
        for (const { item } of batch) for (const key of options.keysOf?.(item) ?? []) keys.delete(key)
        flush()
      })
    }
  }

  function waitsForCompany(): boolean {
    clearTimeout(lingering)
    lingering = undefined
    if (linger === undefined || lastSize < Math.min(SEVERAL, linger.enough) || queue.length >= linger.enough)
      return false
    const leftMs = oldestAt + linger.ms - performance.now()
    if (leftMs <= 0) return false
    lingering = setTimeout(flush, leftMs)
    return true
  }

  return {
    add(item) {
      return new Promise<Result>((resolve, reject) => {
        if (linger !== undefined && queue.length === 0) oldestAt = performance.now()
        queue.push({ item, resolve, reject, caller: tracing.caller() })
        if (scheduled || (lingering !== undefined && queue.length < (linger?.enough ?? 0))) return
        scheduled = true
        setImmediate(flush)
      })
    },
    get waiting() {
      return queue.length
    },
  }
}
