/**
 * Asks what should exist and whether it does. Takes back the work of dead consumers, offers again what the broker lost,
 * and ends what expired. Runs in every api process; row locks keep replicas from doing the same work twice.
 * It looks once a second; at every single task only once a lease, and at once when a consumer has died: with a million
 * waiting, reading them all each second would take the time that working them off needs.
 */
import type { DepthProbe } from '../broker/depth.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { expireTasks } from '../store/moves/expire.ts'
import { newestBegun, reofferLost } from '../store/moves/reoffer.ts'
import { endSilent, takeBack } from '../store/moves/take-back.ts'
import type { Whose } from '../store/moves/whose.ts'
import { databaseTime } from '../store/reads/database-time.ts'

/** So that a million lost tasks come back as a stream, not as a wave: rows per step, steps once a second. */
const MOST_PER_STEP = 1_000

export interface AuditorOptions {
  readonly db: Db
  readonly depth: DepthProbe
  readonly queues: readonly string[]
  readonly leaseSeconds: number
  readonly quietSeconds: number
  readonly log: Log
}

export function createAuditor(options: AuditorOptions): Service {
  const { db, depth, queues, leaseSeconds, quietSeconds, log } = options
  /** Since when the database has answered every step; undefined after a failure. By the machine's monotonic clock. */
  let answeringSince: number | undefined
  let lastStep: number | undefined
  /** When all tasks are read again at the latest, by the same clock. */
  let readAllAt = 0
  let begun: ReadonlyMap<string, Date> = new Map()
  /** Since when each queue has been seen empty at every look. */
  const emptySince = new Map<string, number>()

  async function step(): Promise<boolean> {
    try {
      const now = performance.now()
      // While this process stood still the database may have been away unseen. Consumers renew at three tenths of a
      // lease, so an outage of less than the rest has cost nobody his lease.
      if (lastStep !== undefined && now - lastStep > leaseSeconds * 700) answeringSince = undefined
      lastStep = now
      const answeredAt = await databaseTime(db)
      answeringSince ??= now
      // After an outage every lease has run out, and that says nothing about the consumers: they get one lease of time
      // to come back before anybody is judged.
      const mayJudge = now - answeringSince >= leaseSeconds * 1_000
      const died = mayJudge ? await endSilent(db, answeredAt) : []
      if (died.length > 0 || now >= readAllAt) {
        const taken = mayJudge ? await takeBackFromTheDead(answeredAt) : 0
        begun = await newestBegun(db)
        readAllAt = taken === MOST_PER_STEP ? now : now + leaseSeconds * 1_000
      }
      await endExpired()
      let unaccounted = 0
      for (const queue of queues) unaccounted += await findLost(queue, answeredAt, now, begun.get(queue))
      metrics.unaccountedTasks.set(unaccounted)
    } catch (error) {
      forget()
      throw error
    }
    return false
  }

  function forget(): void {
    answeringSince = undefined
    lastStep = undefined
    readAllAt = 0
    emptySince.clear()
    metrics.unaccountedTasks.remove()
    metrics.queueReady.reset()
    metrics.queueConsumers.reset()
  }

  /** @returns how many it took back */
  async function takeBackFromTheDead(answeredAt: Date): Promise<number> {
    const taken = await takeBack(db, answeredAt, leaseSeconds, MOST_PER_STEP)
    for (const { holder, isFailed, attempt, ...whose } of taken) {
      if (isFailed) metrics.deadLettered.inc({ task: whose.name })
      else metrics.auditReoffered.inc({ cause: 'dead_consumer' })
      const fields = { ...idsOf(whose), attempt, consumer: holder, failed: isFailed }
      log.warn(fields, 'attempt taken back from a dead consumer')
    }
    return taken.length
  }

  async function endExpired(): Promise<void> {
    for (const whose of await expireTasks(db, MOST_PER_STEP)) {
      metrics.deadLettered.inc({ task: whose.name })
      log.warn(idsOf(whose), 'task expired before it was started')
    }
  }

  /**
   * Waiting is not lost. A task is lost only when its queue has passed it by: the queue was empty for the quiet time,
   * or a task that was offered twice the quiet time later has already begun.
   * @returns how many may be left for the next step: this step's most, or 0 when it found fewer
   */
  async function findLost(queue: string, answeredAt: Date, now: number, begun: Date | undefined): Promise<number> {
    const found = await depth.depthOf(queue)
    if (!found) {
      emptySince.delete(queue)
      metrics.queueReady.remove({ queue })
      metrics.queueConsumers.remove({ queue })
      return 0
    }
    metrics.queueReady.set({ queue }, found.ready)
    metrics.queueConsumers.set({ queue }, found.consumers)
    if (found.ready > 0) emptySince.delete(queue)
    else if (!emptySince.has(queue)) emptySince.set(queue, now)

    const quietMs = quietSeconds * 1_000
    const isQuiet = now - (emptySince.get(queue) ?? now) >= quietMs
    const before = Math.max(
      isQuiet ? answeredAt.getTime() - quietMs : 0,
      begun === undefined ? 0 : begun.getTime() - 2 * quietMs,
    )
    if (before === 0) return 0
    const lost = await reofferLost(db, queue, new Date(before), quietSeconds, MOST_PER_STEP)
    if (lost.length > 0) {
      metrics.auditReoffered.inc({ cause: 'lost' }, lost.length)
      log.warn({ queue, tasks: lost.length, first: lost[0] }, 'tasks that the broker lost are offered again')
    }
    return lost.length === MOST_PER_STEP ? MOST_PER_STEP : 0
  }

  const loop = createLoop({ name: 'auditor', everyMs: 1_000, log, step })
  return { name: 'auditor', start: loop.start, stop: loop.stop }
}

function idsOf({ id, requestId, traceId, client }: Whose): object {
  return { request_id: requestId, task_id: id, trace_id: traceId, client }
}
