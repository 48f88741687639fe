/**
 * Asks once a second what should exist and whether it does: takes back the work of dead consumers, ends what expired, and
 * offers again what the broker lost. Runs in every api process; row locks keep replicas from doing the same work twice.
 */
import type { Queues } from '../queues/queues.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { expireTasks } from '../store/moves/expire.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { DeadConsumers } from './dead-consumers.ts'
import { fieldsOf } from './fields.ts'
import { LostTasks } from './lost-tasks.ts'

export interface MaintenanceOptions {
  readonly db: Db
  /** Started before this service. */
  readonly queues: Queues
  readonly leaseSeconds: number
  readonly quietSeconds: number
  readonly log: Log
}

/** So that a million lost tasks come back as a stream, not as a wave: rows per step, steps once a second. */
const MOST_PER_STEP = 1_000

export function createMaintenance(options: MaintenanceOptions): Service {
  const { db, log } = options
  const deadConsumers = new DeadConsumers({ ...options, mostPerStep: MOST_PER_STEP })
  const lostTasks = new LostTasks({ ...options, mostPerStep: MOST_PER_STEP })

  async function step(): Promise<boolean> {
    try {
      const answeredAt = await databaseTime(db)
      const now = performance.now()
      await deadConsumers.step(answeredAt, now)
      await endExpired()
      await lostTasks.step(answeredAt, now)
    } catch (error) {
      deadConsumers.forget()
      lostTasks.forget()
      throw error
    }
    return false
  }

  async function endExpired(): Promise<void> {
    for (const whose of await expireTasks(db, MOST_PER_STEP)) {
      metrics.deadLettered.inc({ task: whose.name })
      log.warn(fieldsOf(whose), 'task expired before it was started')
    }
  }

  const loop = createLoop({ name: 'maintenance', everyMs: 1_000, log, step })
  return { name: 'maintenance', start: loop.start, stop: loop.stop }
}
