/** Keeps the tables small and the partitions ahead of the clock, in small bites, in every api process. */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { dropOldPartitions, ensurePartitions } from '../store/upkeep/partitions.ts'
import { forgetKeys, forgetLives, forgetResults } from '../store/upkeep/retention.ts'

const BITE = 1_000

export interface RetentionOptions {
  readonly db: Db
  readonly resultTtlMs: number
  readonly taskRetentionMs: number
  readonly log: Log
  /** How often to look; a full bite is followed by the next at once. Default a minute. */
  readonly everyMs?: number
}

export function createRetention({
  db,
  resultTtlMs,
  taskRetentionMs,
  log,
  everyMs = 60_000,
}: RetentionOptions): Service {
  const loop = createLoop({
    name: 'retention',
    everyMs,
    log,
    step: async () => {
      const made = await ensurePartitions(db)
      if (made > 0) log.info({ partitions: made }, 'partitions made ahead')
      const results = await forgetResults(db, resultTtlMs, BITE)
      const keys = await forgetKeys(db, BITE)
      await forgetLives(db, taskRetentionMs)
      for (const day of await dropOldPartitions(db, taskRetentionMs)) log.info({ day }, 'partition dropped')
      return results === BITE || keys === BITE
    },
  })
  return { name: 'retention', start: loop.start, stop: loop.stop }
}
