/**
 * One delivery from decoding to acknowledgement. The order is the promise: claim, run, settle, and only then ack; a
 * delivery that was claimed is never given back to the broker, one that was not is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from '../broker/delivery.ts'
import { durationLabel } from '../broker/topology.ts'
import { isDataFault } from '../core/database-errors.ts'
import { decodeWakeUp, type WakeUp } from '../core/message.ts'
import type { Handlers } from '../core/task-types.ts'
import { type Batcher, createBatcher } from '../runtime/batch.ts'
import { whenAsked } from '../runtime/instruments.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Db } from '../store/db.ts'
import { type Claim, type ClaimedTask, claimTasks, type Wanted } from '../store/moves/claim.ts'
import { type Settled, type Settlement, settleTasks } from '../store/moves/settle.ts'
import { createAside, UNKNOWN_TASK_WAIT_MS } from './aside.ts'
import type { Gate } from './gate.ts'
import type { ConsumerLife } from './life.ts'
import { idsOf, runAttempt } from './run.ts'

export interface AttemptOptions {
  readonly life: ConsumerLife
  readonly handlers: Handlers
  /** Queue to slots. */
  readonly queues: ReadonlyMap<string, number>
  readonly gate: Gate
  readonly db: Db
  readonly effectsDb: Db
  readonly ladderMs: readonly number[]
  readonly log: Log
  /** Aborts when the consumer begins to drain: what is not claimed yet goes back to the broker. */
  readonly draining: AbortSignal
}

export interface Attempts {
  /** Handles one delivery to its end. Never rejects. */
  handle(delivery: Delivery): Promise<void>
  /** Whether the database has said that the delivery's task is this life's to run. */
  isClaimed(delivery: Delivery): boolean
}

const MAX_BATCH = 500
/** Under load claims and settles came three times as many to a statement, and the whole way cost 12 % less CPU. */
const LINGER_MS = 10
const DEFAULT_DEADLINE_MS = 300_000

/** Makes the steps of one life. Claims and settles of concurrent attempts share statements. */
export function createAttempts(options: AttemptOptions): Attempts {
  const { life, handlers, gate, db, log, draining } = options
  /** A task is in hand once per process; a second copy waits for the first to end and then finds nothing to begin. */
  const inProcess = new Map<string, Promise<void>>()
  const aside = createAside({ db, log, draining })
  /** Attempts claimed and not yet settled, by queue. */
  const inFlight = new Map([...options.queues.keys()].map((queue) => [queue, 0]))
  const mayWait = new WeakMap<AbortSignal, AbortSignal>()
  const claimed = new WeakSet<Delivery>()
  /** Ends the asking for claims: what the database does not answer is left to another consumer. */
  const asking = AbortSignal.any([life.over, draining])

  const forget = whenAsked(() => {
    for (const [queue, attempts] of inFlight) metrics.inFlight.set({ queue }, attempts)
  })
  life.over.addEventListener('abort', forget, { once: true })

  const slots = [...options.queues.values()].reduce((sum, each) => sum + each, 0)
  // A quarter of what may be in hand at once is company enough: few slots must not wait for many.
  const linger = { ms: LINGER_MS, enough: Math.min(MAX_BATCH, Math.ceil(slots / 4)) }

  const claims: Batcher<Wanted, Claim> = createBatcher({
    name: 'claim',
    maxItems: MAX_BATCH,
    maxInFlight: 1,
    linger,
    run: (wanted) => claimTasks(db, life.id, wanted),
  })
  const settles: Batcher<Settlement, Settled> = createBatcher({
    name: 'settle',
    maxItems: MAX_BATCH,
    maxInFlight: 1,
    linger,
    run: (settlements) => settleTasks(db, life.id, settlements),
    isItemFault: isDataFault,
  })
  const settle = (one: Settlement): Promise<Settled> => settles.add(one)

  async function handle(delivery: Delivery): Promise<void> {
    const wakeUp = decodeWakeUp(delivery.body)
    if ('unreadable' in wakeUp) return aside.keepUnreadable(delivery, wakeUp.unreadable)
    if (delivery.taskName !== undefined && !handlers.has(delivery.taskName)) return aside.park(delivery, wakeUp)
    // Asked and entered in one step: copies that arrive together must not all find the task free.
    const done = inTurn(inProcess.get(wakeUp.id), delivery, wakeUp)
    inProcess.set(wakeUp.id, done)
    try {
      await done
    } finally {
      if (inProcess.get(wakeUp.id) === done) inProcess.delete(wakeUp.id)
    }
  }

  /** Aborts when a delivery of this channel may wait no longer. One for each channel: one per delivery was 8 % of the time. */
  function mayWaitOn({ gone }: Delivery): AbortSignal {
    const signal = mayWait.get(gone) ?? AbortSignal.any([life.over, draining, gone])
    mayWait.set(gone, signal)
    return signal
  }

  /** Waits for the copy before this one and for the gate, then attempts; what must stop waiting goes back to the broker. */
  async function inTurn(previous: Promise<void> | undefined, delivery: Delivery, wakeUp: WakeUp): Promise<void> {
    const mayWait = mayWaitOn(delivery)
    let leave: () => void
    try {
      if (previous) await previous
      leave = gate.tryEnter(wakeUp.alone) ?? (await gate.enter(wakeUp.alone, mayWait))
    } catch {
      return delivery.requeue()
    }
    try {
      await tracing.deliver(delivery, wakeUp, attempt)
    } finally {
      leave()
    }
  }

  async function attempt(delivery: Delivery, wakeUp: WakeUp): Promise<void> {
    if (mayWaitOn(delivery).aborted) return delivery.requeue()
    const claim = await claimUntilAnswered(delivery, wakeUp)
    // Had it taken effect all the same, the hand-back of this life offers the task anew, and this message begins nothing.
    if (claim === 'no_answer' && !life.over.aborted) return delivery.requeue()
    // The life is over: the broker session goes with it, and so the delivery goes back by itself.
    if (claim === 'no_answer' || claim.kind === 'no_lease') return
    if (claim.kind !== 'claimed') {
      metrics.duplicatesDropped.inc()
      return delivery.ack()
    }
    const { task } = claim
    claimed.add(delivery)
    metrics.queueWaitSeconds.observe({ queue: task.queue }, task.waitedSeconds, task.traceparent)
    inFlight.set(task.queue, (inFlight.get(task.queue) ?? 0) + 1)
    life.begun.set(task.queue, (life.begun.get(task.queue) ?? 0) + 1)
    try {
      const outcome = await tracing.attempt(task, execute)
      if (outcome !== 'no_answer') delivery.ack()
    } finally {
      inFlight.set(task.queue, (inFlight.get(task.queue) ?? 0) - 1)
    }
  }

  async function execute(task: ClaimedTask): Promise<'ended' | 'no_answer'> {
    const handler = handlers.get(task.name)
    const ended = { id: task.id, attempt: task.attempt, name: task.name, client: task.client }
    const ran = handler
      ? await runAttempt({ ...options, task, handler })
      : { ...ended, next: 'PENDING' as const, error: null, delayMs: UNKNOWN_TASK_WAIT_MS }
    if (ran === 'given_up') {
      log.warn(idsOf(task), 'attempt given up')
      tracing.ended({ next: 'given_up' })
      // After a drain or a lost lease the table still says RUNNING; its hand-back comes first, the ack after it.
      return life.over.aborted || draining.aborted ? 'no_answer' : 'ended'
    }
    const settled = ran === 'committed' ? 'settled' : await settleUntilAnswered(ran)
    if (settled === 'no_answer') return 'no_answer'
    const next = ran === 'committed' ? 'SUCCESS' : ran.next
    if (settled === 'fenced') {
      metrics.fencedWrites.inc()
      log.warn({ ...idsOf(task), next }, 'attempt was decided by another')
      tracing.ended({ next: 'fenced' })
    } else {
      countEnd(task, ran === 'committed' ? undefined : ran)
      // The kind of error, not its text: that may quote the payload, and stands in the history for those who may read it.
      const end = { next, ...(ran === 'committed' ? {} : failureKind(ran)) }
      log.info({ ...idsOf(task), ...end }, 'attempt settled')
      tracing.ended(end)
    }
    return 'ended'
  }

  /** Asks until answered: whether a claim whose answer was lost took effect, only the database knows. */
  async function claimUntilAnswered(delivery: Delivery, wakeUp: WakeUp): Promise<Claim | 'no_answer'> {
    const deadlineMs = handlers.get(delivery.taskName ?? '')?.contract.deadlineMs ?? DEFAULT_DEADLINE_MS
    const wanted = { id: wakeUp.id, attempt: wakeUp.attempt, deadlineMs, publishedAt: delivery.publishedAt }
    for (let waitMs = 20; !asking.aborted; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        const claim = await claims.add(wanted)
        if (claim.kind !== 'again') return claim
      } catch (error) {
        log.warn({ task_id: wakeUp.id, error: (error as Error).message }, 'claim not answered, asking again')
      }
      await sleep(waitMs * (0.5 + Math.random()), undefined, { signal: asking }).catch(() => undefined)
    }
    return 'no_answer'
  }

  /** Settles until answered: a lost answer is asked about, never turned into a failure. */
  async function settleUntilAnswered(settlement: Settlement): Promise<Settled | 'no_answer'> {
    let current = settlement
    for (let waitMs = 50; !life.over.aborted; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        return await tracing.step('settle', current, settle)
      } catch (error) {
        log.warn({ task_id: current.id, error: (error as Error).message }, 'settle not answered, asking again')
        if (isDataFault(error)) current = withoutData(current)
      }
      await sleep(waitMs * (0.5 + Math.random()), undefined, { signal: life.over }).catch(() => undefined)
    }
    return 'no_answer'
  }

  return { handle, isClaimed: (delivery) => claimed.has(delivery) }
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
