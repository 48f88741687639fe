/**
 * The fifth step: what came of the attempt is written. It is settled until answered: a lost answer is asked about, never
 * turned into a failure.
 */
import { durationLabel } from '../broker/topology.ts'
import { isDataFault } from '../core/database-errors.ts'
import { type Batcher, createBatcher } from '../runtime/batch.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { untilAnswered } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import { type Settled, type Settlement, settleTasks } from '../store/moves/settle.ts'
import { type Executed, idsOf } from './attempt.ts'
import { sharedStatements } from './shared-statements.ts'

export interface SettlesOptions {
  readonly life: { readonly id: string; readonly over: AbortSignal }
  /** Queue to slots. */
  readonly queues: ReadonlyMap<string, number>
  readonly db: Db
  readonly log: Log
}

export class Settles {
  readonly #log: Log
  readonly #over: AbortSignal
  /** What gives undefined is to be asked for again. */
  readonly #batcher: Batcher<Settlement, Exclude<Settled, 'again'> | undefined>

  constructor({ life, queues, db, log }: SettlesOptions) {
    this.#log = log
    this.#over = life.over
    this.#batcher = createBatcher({
      ...sharedStatements(queues),
      name: 'settle',
      run: async (settlements) =>
        (await settleTasks(db, life.id, settlements)).map((settled) => (settled === 'again' ? undefined : settled)),
      isItemFault: isDataFault,
    })
  }

  /** Settles the attempt, unless its own transaction has, and counts how it ended. */
  async settle(attempt: Executed): Promise<void> {
    const { task, ran } = attempt
    const settled = ran === 'committed' ? 'settled' : await this.#untilAnswered(ran)
    // Without an answer the life is over: the broker session goes with it, and so the delivery goes back by itself.
    attempt.answer = settled === undefined ? 'leave' : 'ack'
    if (settled === undefined) return
    if (settled === 'fenced') this.#sayFenced(task, ran === 'committed' ? 'SUCCESS' : ran.next)
    else this.#saySettled(task, ran === 'committed' ? undefined : ran)
  }

  #untilAnswered(settlement: Settlement): Promise<Exclude<Settled, 'again'> | undefined> {
    let current = settlement
    return untilAnswered({
      ask: () => tracing.step('settle', current, this.#add),
      signal: this.#over,
      firstWaitMs: 50,
      longestWaitMs: 1_000,
      onError: (error) => {
        this.#log.warn({ task_id: current.id, error: error.message }, 'settle not answered, asking again')
        if (isDataFault(error)) current = withoutData(current)
      },
    })
  }

  readonly #add = (settlement: Settlement) => this.#batcher.add(settlement)

  #sayFenced(task: ClaimedTask, next: string): void {
    metrics.fencedWrites.inc()
    this.#log.warn({ ...idsOf(task), next }, 'attempt was decided by another')
    tracing.ended({ next: 'fenced' })
  }

  #saySettled(task: ClaimedTask, settlement: Settlement | undefined): void {
    countEnd(task, settlement)
    // The kind of error, not its text: that may quote the payload, and stands in the history for those who may read it.
    const end = { next: settlement?.next ?? 'SUCCESS', ...(settlement ? failureKind(settlement) : {}) }
    this.#log.info({ ...idsOf(task), ...end }, 'attempt settled')
    tracing.ended(end)
  }
}

function failureKind(settlement: Settlement): { error?: string | undefined; fingerprint?: string } {
  if (!('error' in settlement)) return {}
  const fingerprint = 'fingerprint' in settlement ? { fingerprint: settlement.fingerprint } : {}
  return { error: settlement.error?.name, ...fingerprint }
}

function countEnd(task: ClaimedTask, settlement: Settlement | undefined): void {
  const next = settlement?.next ?? 'SUCCESS'
  const outcome = next === 'SUCCESS' ? 'success' : next === 'PENDING' ? 'handed_back' : 'failure'
  metrics.attempts.inc({ task: task.name, outcome })
  if (next === 'FAILED') metrics.deadLettered.inc({ task: task.name })
  if (settlement?.next === 'RETRYING') {
    metrics.retries.inc({ rung: settlement.onRung ? durationLabel(settlement.delayMs) : 'not_before' })
  }
}

/** What is left of a settlement whose data PostgreSQL refused: visibly replaced, so that the task still ends. */
function withoutData(settlement: Settlement): Settlement {
  const note = 'PostgreSQL could not store what the handler gave back'
  if (settlement.next === 'SUCCESS')
    return { ...settlement, result: JSON.stringify({ nightshift_result_unstorable: note }) }
  return settlement.next === 'PENDING'
    ? { ...settlement, error: null }
    : { ...settlement, error: { name: 'Unstorable', message: note } }
}
