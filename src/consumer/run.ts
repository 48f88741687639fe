/** Runs one claimed attempt: the handler, its deadline, and what its end means. Never rejects. */
import { Aborted, type Handler, type HandlerContext, isAborted, isNotBefore } from 'nightshift-tasks'
import { failureOf, fingerprintOf } from '../core/failure.ts'
import { verdictOf } from '../core/retry.ts'
import { storableJson } from '../core/storable.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Db } from '../store/db.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import { writeProgress } from '../store/moves/progress.ts'
import type { Settlement } from '../store/moves/settle.ts'
import { createEffects, OurOutage } from './effects.ts'
import type { ConsumerLife } from './life.ts'
import { createStop, type Stop } from './stop.ts'

export interface RunOptions {
  readonly task: ClaimedTask
  readonly handler: Handler
  readonly life: ConsumerLife
  /** The pool of task transactions. */
  readonly effectsDb: Db
  /** The pool of claims and settles. */
  readonly db: Db
  readonly ladderMs: readonly number[]
  readonly log: Log
}

/** committed: the task's own transaction settled it. given_up: another decided, or the life is over; nothing to write. */
export type Ran = Settlement | 'committed' | 'given_up'

const PROGRESS_EVERY_MS = 1_000

export async function runAttempt(options: RunOptions): Promise<Ran> {
  const { task, handler, life } = options
  const ended = { id: task.id, attempt: task.attempt, name: task.name, client: task.client }
  const parsed = handler.contract.payload.safeParse(task.payload)
  if (!parsed.success) {
    const error = { name: 'InvalidPayload', message: parsed.error.message.slice(0, 2_000) }
    return { ...ended, next: 'FAILED', reason: 'invalid_payload', error, fingerprint: fingerprintOf(error) }
  }

  const stop = createStop()
  life.inHand.set(task.id, { id: task.id, attempt: task.attempt, abort: stop.tell })
  const deadline = setTimeout(() => stop.tell(new Aborted('deadline')), handler.contract.deadlineMs)
  const effects = createEffects(options.effectsDb, task, life.id, stop)
  const observe = metrics.attemptSeconds.startTimer({ task: task.name }, task.traceparent)
  try {
    // In a turn of its own, so that whatever the handler does before its first wait cannot hold up what began it.
    await undefined
    const returned = handler.handle(contextOf(options, parsed.data, stop, effects.run))
    // The handler may not listen to its signal: the attempt ends all the same, and what it still writes is fenced.
    const result = isPromise(returned) ? await Promise.race([returned, stop.told]) : returned
    return effects.isCommitted ? 'committed' : { ...ended, next: 'SUCCESS', result: storableJson(result) }
  } catch (thrown) {
    if (effects.isCommitted) return 'committed'
    return endOf(options, ended, thrown, stop.reason)
  } finally {
    observe()
    clearTimeout(deadline)
    // Whatever the handler left running is told to stop, and can open no transaction any more.
    stop.over()
    life.inHand.delete(task.id)
  }
}

type Ended = Pick<Settlement, 'id' | 'attempt' | 'name' | 'client'>

function endOf({ task, handler, ladderMs }: RunOptions, ended: Ended, thrown: unknown, stop: Aborted | undefined): Ran {
  const why = stop?.why
  if (why === 'cancelled' || why === 'lease_lost' || why === 'drain') return 'given_up'
  if (thrown instanceof OurOutage) {
    return { ...ended, next: 'PENDING', error: failureOf(thrown), delayMs: 1_000 + Math.random() * 4_000 }
  }
  if (isAborted(thrown) && why === undefined) return 'given_up'
  const error = failureOf(why === 'deadline' ? stop : thrown)
  const fingerprint = fingerprintOf(error)
  const verdict = verdictOf(thrown, task.failures + 1, handler.contract.ladderMs ?? ladderMs, task.maxAttempts)
  if (verdict.next === 'failed') return { ...ended, next: 'FAILED', reason: verdict.reason, error, fingerprint }
  return {
    ...ended,
    next: 'RETRYING',
    error,
    fingerprint,
    delayMs: Math.round(verdict.delayMs),
    onRung: verdict.next === 'rung' && !isNotBefore(thrown),
  }
}

function contextOf(
  { task, db, life, log }: RunOptions,
  payload: unknown,
  stop: Stop,
  tx: HandlerContext<unknown>['tx'],
): HandlerContext<unknown> {
  // Most handlers ask for none of the three, and making them for each attempt was a tenth of the time.
  let ownLog: Log | undefined
  let write: HandlerContext<unknown>['progress'] | undefined
  const logOf = (): Log => {
    ownLog ??= log.child(idsOf(task))
    return ownLog
  }
  return {
    payload,
    task: {
      id: task.id,
      name: task.name,
      queue: task.queue,
      attempt: task.attempt,
      failures: task.failures,
      client: task.client,
      requestId: task.requestId,
      userId: task.userId,
      traceparent: task.traceparent,
    },
    get signal() {
      return stop.signal
    },
    get log() {
      return logOf()
    },
    idempotencyKey: task.id,
    progress(value) {
      write ??= progressWriter(db, task, life.id, stop.signal, logOf())
      write(value)
    },
    tx,
  }
}

/** Writes the newest progress at most once a second; a value that comes sooner waits, the last one wins. */
function progressWriter(db: Db, task: ClaimedTask, consumer: string, signal: AbortSignal, log: Log) {
  let newest: string | undefined
  let timer: NodeJS.Timeout | undefined
  const write = (): void => {
    timer = undefined
    if (newest === undefined || signal.aborted) return
    const value = newest
    newest = undefined
    timer = setTimeout(write, PROGRESS_EVERY_MS)
    writeProgress(db, task, consumer, value).catch((error: Error) => {
      log.warn({ error: error.message }, 'progress not written')
    })
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  return (value: { percent?: number; message?: string }): void => {
    newest = storableJson(value, 4_096)
    if (!timer) write()
  }
}

/** The fields of every line about an attempt. */
export function idsOf(task: ClaimedTask): object {
  return {
    request_id: task.requestId,
    task_id: task.id,
    task: task.name,
    attempt: task.attempt,
    trace_id: tracing.traceIdOf(task),
    client: task.client,
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
