/** The fourth step: the handler runs, until its end or its deadline, and what its end means is decided. Never rejects. */
import { Aborted, type Handler, isAborted } from 'nightshift-tasks'
import { failureOf, fingerprintOf } from '../core/failure.ts'
import { verdictOf } from '../core/retry.ts'
import { storableJson } from '../core/storable.ts'
import type { Handlers } from '../core/task-types.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Db } from '../store/db.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import type { Settlement } from '../store/moves/settle.ts'
import type { Abort } from './abort.ts'
import { UNKNOWN_TASK_WAIT_MS } from './aside.ts'
import { type Claimed, type Executed, idsOf, type Ran } from './attempt.ts'
import { contextOf } from './context.ts'
import { Effects, OurOutage } from './effects.ts'

export interface ExecutorOptions {
  readonly life: { readonly id: string }
  readonly handlers: Handlers
  /** The pool of claims and settles, for progress. */
  readonly db: Db
  /** The pool of task transactions. */
  readonly effectsDb: Db
  readonly ladderMs: readonly number[]
  readonly log: Log
}

export class Executor {
  readonly #options: ExecutorOptions

  constructor(options: ExecutorOptions) {
    this.#options = options
  }

  /** Gives the attempt with what came of it; nothing when it was given up, so that there is nothing to settle. */
  async execute(attempt: Claimed): Promise<Executed | undefined> {
    const { task } = attempt
    const handler = this.#options.handlers.get(task.name)
    attempt.ran = handler ? await this.#run(attempt, handler) : unknownTask(task)
    if (attempt.ran !== 'given_up') return attempt as Executed
    this.#options.log.warn(idsOf(task), 'attempt given up')
    tracing.ended({ next: 'given_up' })
    attempt.answer = isHandedBack(attempt.abort) ? 'leave' : 'ack'
    return undefined
  }

  async #run(attempt: Claimed, handler: Handler): Promise<Ran> {
    const { task, abort } = attempt
    const { contract } = handler
    const parsed = contract.payload.safeParse(task.payload)
    if (!parsed.success) return invalidPayload(task, parsed.error.message)
    const deadline = setTimeout(tellDeadline, contract.deadlineMs, abort)
    const effects = new Effects({ db: this.#options.effectsDb, consumer: this.#options.life.id, contract, task, abort })
    const observe = metrics.attemptSeconds.startTimer({ task: task.name }, task.traceparent)
    try {
      // In a turn of its own, so that whatever the handler does before its first wait cannot hold up what began it.
      await undefined
      if (abort.reason) return 'given_up'
      const returned = handler.handle(contextOf(this.#options, attempt, parsed.data, effects))
      // The handler may not listen to its signal: the attempt ends all the same, and what it still writes is fenced.
      const result = isPromise(returned) ? await Promise.race([returned, abort.told]) : returned
      return effects.isCommitted ? 'committed' : { ...endedOf(task), next: 'SUCCESS', result: storableJson(result) }
    } catch (thrown) {
      return effects.isCommitted ? 'committed' : this.#endOf(attempt, handler, thrown)
    } finally {
      observe()
      clearTimeout(deadline)
      // Whatever the handler left running is told to stop, and can open no transaction any more.
      abort.over()
    }
  }

  #endOf({ task, abort }: Claimed, { contract }: Handler, thrown: unknown): Ran {
    const ended = endedOf(task)
    const why = abort.reason?.why
    if (why === 'cancelled' || isHandedBack(abort)) return 'given_up'
    if (thrown instanceof OurOutage) {
      return { ...ended, next: 'PENDING', error: failureOf(thrown), delayMs: 1_000 + Math.random() * 4_000 }
    }
    if (isAborted(thrown) && why === undefined) return 'given_up'
    const error = failureOf(why === 'deadline' ? abort.reason : thrown)
    const fingerprint = fingerprintOf(error)
    const ladderMs = contract.ladderMs ?? this.#options.ladderMs
    const verdict = verdictOf(thrown, task.failures + 1, ladderMs, task.maxAttempts)
    if (verdict.next === 'failed') return { ...ended, next: 'FAILED', reason: verdict.reason, error, fingerprint }
    const onRung = verdict.next === 'rung'
    return { ...ended, next: 'RETRYING', error, fingerprint, delayMs: Math.round(verdict.delayMs), onRung }
  }
}

function tellDeadline(abort: Abort): void {
  abort.tell(new Aborted('deadline'))
}

/** After a drain or a lost lease the table still says RUNNING: the hand-back comes first, the ack after it. */
function isHandedBack({ reason }: Abort): boolean {
  return reason?.why === 'drain' || reason?.why === 'lease_lost'
}

function endedOf({ id, attempt, name, client }: ClaimedTask): Pick<Settlement, 'id' | 'attempt' | 'name' | 'client'> {
  return { id, attempt, name, client }
}

/** Its message did not name the task, and no handler here knows it. */
function unknownTask(task: ClaimedTask): Settlement {
  return { ...endedOf(task), next: 'PENDING', error: null, delayMs: UNKNOWN_TASK_WAIT_MS }
}

function invalidPayload(task: ClaimedTask, message: string): Settlement {
  const error = { name: 'InvalidPayload', message: message.slice(0, 2_000) }
  return { ...endedOf(task), next: 'FAILED', reason: 'invalid_payload', error, fingerprint: fingerprintOf(error) }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
