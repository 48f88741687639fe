/** Ends the lives of consumers whose lease has run out, and takes back what they were running. */
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Db } from '../store/db.ts'
import { endSilent, takeBack } from '../store/moves/take-back.ts'
import { fieldsOf } from './fields.ts'

export interface DeadConsumersOptions {
  readonly db: Db
  readonly leaseSeconds: number
  readonly mostPerStep: number
  readonly log: Log
}

const READ_ALL_EVERY_MS = 60_000

/**
 * Decides who is dead. It judges only after the database has answered for one whole lease: after an outage every lease has
 * run out, and that says nothing about the consumers. Times are monotonic milliseconds.
 */
export class DeadConsumers {
  readonly #options: DeadConsumersOptions
  /** Since when the database has answered every step; undefined after a failure. */
  #answeringSince: number | undefined
  #lastStep: number | undefined
  /** When all tasks are read again at the latest. */
  #readAllAt = 0

  constructor(options: DeadConsumersOptions) {
    this.#options = options
  }

  /**
   * Looks once. Reads every task when a consumer has died, and else once a minute for attempts past their deadline: with a
   * million waiting that took 1.3 s.
   */
  async step(answeredAt: Date, now: number): Promise<void> {
    const { db, leaseSeconds, mostPerStep } = this.#options
    // While this process stood still the database may have been away unseen. Consumers renew at three tenths of a lease,
    // so an outage of less than the rest has cost no lease.
    if (this.#lastStep !== undefined && now - this.#lastStep > leaseSeconds * 700) this.#answeringSince = undefined
    this.#lastStep = now
    this.#answeringSince ??= now
    const mayJudge = now - this.#answeringSince >= leaseSeconds * 1_000
    const died = mayJudge ? await endSilent(db, answeredAt) : []
    if (!mayJudge || (died.length === 0 && now < this.#readAllAt)) return
    const taken = await this.#takeBack(answeredAt)
    this.#readAllAt = taken === mostPerStep ? now : now + READ_ALL_EVERY_MS
  }

  /** Forgets that the database answered: the next judgement comes a lease after it answers again. */
  forget(): void {
    this.#answeringSince = undefined
    this.#lastStep = undefined
    this.#readAllAt = 0
  }

  /** @returns how many it took back */
  async #takeBack(answeredAt: Date): Promise<number> {
    const { db, leaseSeconds, mostPerStep, log } = this.#options
    const taken = await takeBack(db, answeredAt, leaseSeconds, mostPerStep)
    for (const { holder, isFailed, attempt, ...whose } of taken) {
      if (isFailed) metrics.deadLettered.inc({ task: whose.name })
      else metrics.auditReoffered.inc({ cause: 'dead_consumer' })
      const fields = { ...fieldsOf(whose), attempt, consumer: holder, failed: isFailed }
      log.warn(fields, 'attempt taken back from a dead consumer')
    }
    return taken.length
  }
}
