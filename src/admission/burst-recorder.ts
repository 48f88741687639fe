/** Counts who asks for how much, per client and task in ten seconds, and writes it down for the engineer on call. */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { addBursts, type Burst, forgetBursts } from '../store/upkeep/bursts.ts'

const WINDOW_MS = 10_000
/** So many clients and tasks are told apart in one window; more are counted together. */
const MOST_KEYS = 1_000
const OTHERS = '(others)'

export interface BurstRecorder extends Service {
  /** Counts tasks that were let in or refused together. */
  note(client: string, task: string, isAdmitted: boolean, count: number): void
}

export function createBurstRecorder({ db, log }: { db: Db; log: Log }): BurstRecorder {
  let counts = new Map<string, { -readonly [Key in keyof Burst]: Burst[Key] }>()

  async function write(): Promise<boolean> {
    const full = counts
    counts = new Map()
    try {
      if (full.size > 0) await addBursts(db, [...full.values()])
    } catch (error) {
      // Kept for the next time, unless there is too much of it: an outage must not fill the memory.
      if (counts.size + full.size <= 10 * MOST_KEYS) for (const [key, burst] of full) merge(key, burst)
      throw error
    }
    await forgetBursts(db)
    return false
  }

  function merge(key: string, burst: Burst): void {
    const known = counts.get(key)
    if (!known) counts.set(key, { ...burst })
    else {
      known.accepted += burst.accepted
      known.refused += burst.refused
    }
  }

  const loop = createLoop({ name: 'burst recorder', everyMs: WINDOW_MS, log, step: write })
  return {
    name: 'burst recorder',
    start: loop.start,
    async stop() {
      await loop.stop()
      await write().catch(() => undefined)
    },
    note(client, task, isAdmitted, count) {
      const at = new Date(Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS)
      const own = `${at.getTime()}\n${client}\n${task}`
      const isCrowded = counts.size >= MOST_KEYS && !counts.has(own)
      const key = isCrowded ? `${at.getTime()}\n${OTHERS}\n${task}` : own
      const counted = isAdmitted ? { accepted: count, refused: 0 } : { accepted: 0, refused: count }
      merge(key, { at, client: isCrowded ? OTHERS : client, task, ...counted })
    },
  }
}
