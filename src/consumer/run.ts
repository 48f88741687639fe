/** Runs one claimed attempt: the handler, its deadline, and what its end means. Never rejects. */
import { Aborted, NotBefore } from '../core/errors.ts'
import { failureOf, fingerprintOf } from '../core/failure.ts'
import type { Handler, HandlerContext } from '../core/handler.ts'
import { verdictOf } from '../core/retry.ts'
import { storableJson } from '../core/storable.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { type ClaimedTask, writeProgress } from '../store/claim.ts'
import type { Db } from '../store/db.ts'
import type { Settlement } from '../store/settle.ts'
import { createEffects, OurOutage } from './effects.ts'
import type { ConsumerLife } from './life.ts'

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
/** What still runs after its attempt is told this. One for all: an error with its stack per attempt was 6 % of the time. */
const OVER = new Aborted('deadline')

export async function runAttempt(options: RunOptions): Promise<Ran> {
  const { task, handler, life } = options
  const ended = { id: task.id, attempt: task.attempt, name: task.name, client: task.client }
  const parsed = handler.contract.payload.safeParse(task.payload)
  if (!parsed.success) {
    const error = { name: 'InvalidPayload', message: parsed.error.message.slice(0, 2_000) }
    return { ...ended, next: 'FAILED', reason: 'invalid_payload', error, fingerprint: fingerprintOf(error) }
  }

  const abort = new AbortController()
  life.inHand.set(task.id, { id: task.id, attempt: task.attempt, abort: (why) => abort.abort(why) })
  const deadline = setTimeout(() => abort.abort(new Aborted('deadline')), handler.contract.deadlineMs)
  const effects = createEffects(options.effectsDb, task, life.id, abort.signal)
  const observe = metrics.attemptSeconds.startTimer({ task: task.name }, task.traceparent)
  try {
    const context = contextOf(options, parsed.data, abort.signal, effects.run)
    // The handler may not listen to its signal: the attempt ends all the same, and what it still writes is fenced.
    const result = await Promise.race([Promise.resolve(context).then(handler.handle), rejection(abort.signal)])
    return effects.isCommitted ? 'committed' : { ...ended, next: 'SUCCESS', result: storableJson(result) }
  } catch (thrown) {
    if (effects.isCommitted) return 'committed'
    return endOf(options, ended, thrown, abort.signal)
  } finally {
    observe()
    clearTimeout(deadline)
    // Whatever the handler left running is told to stop, and can open no transaction any more.
    abort.abort(OVER)
    life.inHand.delete(task.id)
  }
}

type Ended = Pick<Settlement, 'id' | 'attempt' | 'name' | 'client'>

function endOf({ task, handler, ladderMs }: RunOptions, ended: Ended, thrown: unknown, signal: AbortSignal): Ran {
  const why = signal.aborted && signal.reason instanceof Aborted ? signal.reason.why : undefined
  if (why === 'cancelled' || why === 'lease_lost' || why === 'drain') return 'given_up'
  if (thrown instanceof OurOutage) {
    return { ...ended, next: 'PENDING', error: failureOf(thrown), delayMs: 1_000 + Math.random() * 4_000 }
  }
  if (thrown instanceof Aborted && why === undefined) return 'given_up'
  const error = failureOf(why === 'deadline' ? signal.reason : thrown)
  const fingerprint = fingerprintOf(error)
  const verdict = verdictOf(thrown, task.failures + 1, handler.contract.ladderMs ?? ladderMs, task.maxAttempts)
  if (verdict.next === 'failed') return { ...ended, next: 'FAILED', reason: verdict.reason, error, fingerprint }
  return {
    ...ended,
    next: 'RETRYING',
    error,
    fingerprint,
    delayMs: Math.round(verdict.delayMs),
    onRung: verdict.next === 'rung' && !(thrown instanceof NotBefore),
  }
}

function contextOf(
  { task, db, life, log }: RunOptions,
  payload: unknown,
  signal: AbortSignal,
  tx: HandlerContext<unknown>['tx'],
): HandlerContext<unknown> {
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
    signal,
    log,
    idempotencyKey: task.id,
    progress: progressWriter(db, task, life.id, signal, log),
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

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
