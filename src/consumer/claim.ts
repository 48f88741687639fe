/**
 * The third step: the task is claimed. It is asked for until answered: whether a claim whose answer was lost took effect,
 * only the database knows.
 */
import type { Handlers } from '../core/task-types.ts'
import { type Batcher, createBatcher } from '../runtime/batch.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { untilAnswered } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { type Claim, claimTasks, type Wanted } from '../store/moves/claim.ts'
import type { Answer, Claimed, Decoded } from './attempt.ts'
import { sharedStatements } from './shared-statements.ts'

export interface ClaimsOptions {
  readonly life: { readonly id: string; readonly over: AbortSignal }
  readonly handlers: Handlers
  /** Queue to slots. */
  readonly queues: ReadonlyMap<string, number>
  readonly db: Db
  readonly log: Log
  readonly draining: AbortSignal
}

const DEFAULT_DEADLINE_MS = 300_000

export class Claims {
  readonly #options: ClaimsOptions
  /** What gives undefined is to be asked for again. */
  readonly #batcher: Batcher<Wanted, Claim | undefined>
  /** Ends the asking. What a draining consumer is not answered is left to another one. */
  readonly #stopAsking: AbortSignal

  constructor(options: ClaimsOptions) {
    const { life, db, queues, draining } = options
    this.#options = options
    this.#stopAsking = AbortSignal.any([life.over, draining])
    this.#batcher = createBatcher({
      ...sharedStatements(queues),
      name: 'claim',
      run: async (wanted) =>
        (await claimTasks(db, life.id, wanted)).map((claim) => (claim.kind === 'again' ? undefined : claim)),
    })
  }

  /** Gives the attempt with its task, if the task is this life's to run. */
  async claim(attempt: Decoded): Promise<Claimed | undefined> {
    const wanted = this.#wantedOf(attempt)
    const claim = await untilAnswered({
      ask: () => this.#batcher.add(wanted),
      signal: this.#stopAsking,
      firstWaitMs: 20,
      longestWaitMs: 1_000,
      onError: ({ message }) =>
        this.#options.log.warn({ task_id: wanted.id, error: message }, 'claim not answered, asking again'),
    })
    if (claim?.kind !== 'claimed') {
      attempt.answer = this.#answerTo(claim)
      return undefined
    }
    const { task } = claim
    attempt.task = task
    metrics.queueWaitSeconds.observe({ queue: task.queue }, task.waitedSeconds, task.traceparent)
    return attempt as Claimed
  }

  #wantedOf({ delivery, wakeUp }: Decoded): Wanted {
    const { handlers } = this.#options
    const deadlineMs = handlers.get(delivery.taskName ?? '')?.contract.deadlineMs ?? DEFAULT_DEADLINE_MS
    return { id: wakeUp.id, attempt: wakeUp.attempt, deadlineMs, publishedAt: delivery.publishedAt }
  }

  #answerTo(claim: Claim | undefined): Answer {
    if (claim?.kind === 'nothing') {
      metrics.duplicatesDropped.inc()
      return 'ack'
    }
    // The life is over: the broker session goes with it, and so the delivery goes back by itself.
    if (claim?.kind === 'no_lease' || this.#options.life.over.aborted) return 'leave'
    // Had it taken effect all the same, the hand-back of this life offers the task anew, and this message begins nothing.
    return 'requeue'
  }
}
