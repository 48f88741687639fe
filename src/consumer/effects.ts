/**
 * The transaction of a task: what the handler writes, its result and its SUCCESS commit together. The fence is the last
 * statement, so a consumer that was given up writes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Aborted, type Tx } from 'nightshift-tasks'
import { isConflict, isOutage } from '../core/database-errors.ts'
import { storableJson } from '../core/storable.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Connection, Db } from '../store/db.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import { isStillMine, settleTasks } from '../store/moves/settle.ts'
import type { Stop } from './stop.ts'

/** Our own database went away under the attempt: it is handed back and not charged. */
export class OurOutage extends Error {
  override name = 'OurOutage'
}

export interface Effects {
  /** Whether the transaction has committed, and with it the task's SUCCESS. */
  readonly isCommitted: boolean
  run<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}

const CONFLICT_TRIES = 5

/**
 * @param db the pool that bounds how many task transactions are open at once in this process
 * @param stop the attempt's own; once it is told, no transaction begins
 */
export function createEffects(db: Db, task: ClaimedTask, consumer: string, stop: Stop): Effects {
  let isOpened = false
  let isCommitted = false

  async function once<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    return db.transaction(async (connection) => {
      stop.signal.throwIfAborted()
      const result = await work(txOf(connection))
      const success = {
        id: task.id,
        attempt: task.attempt,
        name: task.name,
        client: task.client,
        next: 'SUCCESS' as const,
      }
      const settle = (made: Result) => settleTasks(connection, consumer, [{ ...success, result: storableJson(made) }])
      const [settled] = await tracing.step('settle', result, settle)
      if (settled !== 'settled') {
        metrics.fencedWrites.inc()
        throw new Aborted('cancelled')
      }
      return result
    }, stop.signal)
  }

  /** The answer to the commit was lost: ask, under the row's lock, until the database says what happened. */
  async function didCommit(): Promise<boolean> {
    while (!stop.reason) {
      try {
        if (await isStillMine(db, task.id, task.attempt, consumer)) return false
        const asked = { id: task.id, attempt: task.attempt, name: task.name, client: task.client }
        const [settled] = await settleTasks(db, consumer, [{ ...asked, next: 'SUCCESS', result: 'null' }])
        return settled === 'already'
      } catch (error) {
        if (!isOutage(error)) throw error
        await sleep(200, undefined, { signal: stop.signal }).catch(() => undefined)
      }
    }
    return false
  }

  return {
    get isCommitted() {
      return isCommitted
    },
    async run(work) {
      if (isOpened) throw new Error('tx() was called twice in one attempt: put all writes of the task into one')
      isOpened = true
      for (let tries = 1; ; tries++) {
        let value: { result: Awaited<ReturnType<typeof work>> } | undefined
        try {
          const result = await once(async (tx) => {
            const made = await work(tx)
            value = { result: made }
            return made
          })
          isCommitted = true
          return result
        } catch (error) {
          if (isConflict(error) && tries < CONFLICT_TRIES) {
            await sleep(10 * tries * (1 + Math.random()), undefined, { signal: stop.signal })
            continue
          }
          if (!isOutage(error)) throw error
          if (value && (await didCommit())) {
            isCommitted = true
            return value.result
          }
          throw new OurOutage(`the database went away: ${(error as Error).message}`, { cause: error })
        }
      }
    },
  }
}

function txOf(connection: Connection): Tx {
  return { query: (sql, values) => connection.raw(sql, values) }
}
