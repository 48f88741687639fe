/** Waits for the ends of tasks on behalf of requests: one query every 100 ms for all of them, and none when nobody waits. */
import type { WaitForEnd } from '../http/prefer.ts'
import type { Service } from '../runtime/service.ts'
import { tracing } from '../runtime/tracing.ts'

export interface Waiter extends Service {
  /** Resolves with true once the task has ended; with false after the wait, an abort, or at once when too many wait. */
  readonly waitForEnd: WaitForEnd
  /** How many requests wait. */
  readonly waiting: number
}

export interface WaiterOptions {
  /** Names those of the ids that have ended. When it fails it is asked again. */
  readonly finishedAmong: (ids: readonly string[]) => Promise<readonly string[]>
  readonly everyMs?: number
  /** How many may wait at once; further ones are answered without a wait. */
  readonly atMost?: number
}

/** Makes a waiter. Before `start` and after `stop` nobody waits: every wait ends at once. */
export function createWaiter({ finishedAmong, everyMs = 100, atMost = 2_000 }: WaiterOptions): Waiter {
  const waits = new Map<string, Set<(isOver: boolean) => void>>()
  let count = 0
  let isRunning = false
  let timer: NodeJS.Timeout | undefined

  function schedule(delayMs: number): void {
    if (isRunning && count > 0) timer ??= setTimeout(() => void tracing.apart(poll), delayMs)
  }

  async function poll(): Promise<void> {
    const over = await finishedAmong([...waits.keys()]).catch(() => [])
    for (const id of over) for (const end of [...(waits.get(id) ?? [])]) end(true)
    timer = undefined
    schedule(everyMs)
  }

  function wait(id: string, waitMs: number, signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const onThis = waits.get(id) ?? new Set()
    waits.set(id, onThis)
    count += 1
    const end = (isOver: boolean): void => {
      if (!onThis.delete(end)) return
      count -= 1
      if (onThis.size === 0) waits.delete(id)
      clearTimeout(deadline)
      signal.removeEventListener('abort', abort)
      resolve(isOver)
    }
    const abort = (): void => end(false)
    const deadline = setTimeout(abort, waitMs)
    signal.addEventListener('abort', abort, { once: true })
    onThis.add(end)
    schedule(Math.min(everyMs, 10))
    return promise
  }

  return {
    name: 'waiter',
    async waitForEnd(id, waitMs, signal) {
      if (!isRunning || count >= atMost || signal.aborted || waitMs <= 0) return false
      return wait(id, waitMs, signal)
    },
    get waiting() {
      return count
    },
    async start() {
      isRunning = true
    },
    async stop() {
      isRunning = false
      clearTimeout(timer)
      timer = undefined
      for (const onTask of [...waits.values()]) for (const end of [...onTask]) end(false)
    },
  }
}
