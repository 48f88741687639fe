/**
 * The transaction of a task: what the handler writes, its result and its SUCCESS commit together. The fence is the last
 * statement, so a consumer that was given up writes nothing.
 */
import { Aborted, type Contract, NonRetryable, type Tx } from 'nightshift-tasks'
import { isConflict, isOutage } from '../core/database-errors.ts'
import { storableJson } from '../core/storable.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { pause, untilAnswered } from '../runtime/wait.ts'
import type { Connection, Db } from '../store/db.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import { isStillMine, type Settlement, settleTasks, settleWithin } from '../store/moves/settle.ts'
import type { Abort } from './abort.ts'

/** Our own database went away under the attempt: it is handed back and not charged. */
export class OurOutage extends Error {
  override name = 'OurOutage'
}

export interface EffectsOptions {
  /** The pool that bounds how many task transactions are open at once in this process. */
  readonly db: Db
  /** The life that the attempt belongs to. */
  readonly consumer: string
  readonly contract: Pick<Contract, 'name' | 'effects'>
  readonly task: ClaimedTask
  /** Once it is told, no transaction begins. */
  readonly abort: Abort
}

type Work<Result> = (tx: Tx) => Promise<Result>

const CONFLICT_TRIES = 5

export class Effects {
  readonly #options: EffectsOptions
  #isOpened = false
  #isCommitted = false

  constructor(options: EffectsOptions) {
    this.#options = options
  }

  /** Whether the transaction has committed, and with it the task's SUCCESS. */
  get isCommitted(): boolean {
    return this.#isCommitted
  }

  /** Runs the task's one transaction; the `tx` of its handler. */
  async run<Result>(work: Work<Result>): Promise<Result> {
    this.#refuseWhatTheContractDenies()
    if (this.#isOpened) throw new Error('tx() was called twice in one attempt: put all writes of the task into one')
    this.#isOpened = true
    for (let tries = 1; ; tries++) {
      let made: { readonly result: Result } | undefined
      try {
        const result = await this.#once(async (tx) => {
          const own = await work(tx)
          made = { result: own }
          return own
        })
        this.#isCommitted = true
        return result
      } catch (error) {
        if (isConflict(error) && tries < CONFLICT_TRIES) {
          await pause(10 * tries * (1 + Math.random()), this.#options.abort.signal)
          continue
        }
        if (!isOutage(error)) throw error
        if (made && (await this.#didCommit())) {
          this.#isCommitted = true
          return made.result
        }
        throw new OurOutage(`the database went away: ${(error as Error).message}`, { cause: error })
      }
    }
  }

  #refuseWhatTheContractDenies(): void {
    const { name, effects } = this.#options.contract
    if (effects !== 'none') return
    throw new NonRetryable(
      `the contract of "${name}" says effects: 'none', so its handler may not call tx(): say effects: 'database' there`,
    )
  }

  #once<Result>(work: Work<Result>): Promise<Result> {
    const { db, consumer, abort } = this.#options
    return db.transaction(async (connection) => {
      abort.signal.throwIfAborted()
      const result = await work(txOf(connection))
      const settle = (own: Result) => settleWithin(connection, consumer, this.#success(storableJson(own)))
      const settled = await tracing.step('settle', result, settle)
      if (settled !== 'settled') {
        metrics.fencedWrites.inc()
        throw new Aborted('cancelled')
      }
      return result
    }, abort.signal)
  }

  /** The answer to the commit was lost: ask, under the row's lock, until the database says what happened. */
  async #didCommit(): Promise<boolean> {
    const { db, consumer, task, abort } = this.#options
    const answer = await untilAnswered({
      ask: async () => {
        if (await isStillMine(db, task.id, task.attempt, consumer)) return false
        const [settled] = await settleTasks(db, consumer, [this.#success('null')])
        return settled === 'already'
      },
      signal: abort.signal,
      firstWaitMs: 200,
      longestWaitMs: 200,
      onError: (error) => {
        if (!isOutage(error)) throw error
      },
    })
    return answer === true
  }

  #success(result: string): Settlement {
    const { id, attempt, name, client } = this.#options.task
    return { id, attempt, name, client, next: 'SUCCESS', result }
  }
}

function txOf(connection: Connection): Tx {
  return { query: (sql, values) => connection.raw(sql, values) }
}
