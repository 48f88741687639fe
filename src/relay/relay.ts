/**
 * Moves outbox rows to the broker and removes those it confirmed. Two ways in: the fast path publishes what this
 * process has just committed; the sweep finds everything else that is due (delayed tasks, retries, hand-backs, what a
 * dead process left). Every replica sweeps; claims keep them apart, so there is no leader to fail over.
 */
import { type Outgoing, type Published, tracedMessage } from '../broker/outgoing.ts'
import { CONFIRM_TIMEOUT_MS, type Publisher } from '../broker/publisher.ts'
import type { FreshOutboxRow } from '../core/new-task.ts'
import { createBatcher } from '../runtime/batch.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import { tracing } from '../runtime/tracing.ts'
import type { Db } from '../store/db.ts'
import { claimDue, type OutboxRow, postponeOutbox, settleOutbox } from '../store/moves/outbox.ts'

/** Longer than the confirm timeout, so a row is never published by two while the first still waits for its answer. */
const CLAIM_SECONDS = (2 * CONFIRM_TIMEOUT_MS) / 1_000
const SWEEP_EVERY_MS = 500
const SWEEP_ROWS = 512

export interface Relay extends Service {
  /** Takes room for up to `wanted` rows: the seconds for which they may be born claimed, or 0 without room. */
  reserve(wanted: number): number
  /** Publishes reserved rows; resolves with which of them the broker confirmed, in their order, and never rejects. */
  publish(rows: readonly FreshOutboxRow[]): Promise<readonly boolean[]>
  /** Gives back room that was reserved and is not needed. */
  release(rows: number): void
}

export function createRelay({ db, publisher, log }: { db: Db; publisher: Publisher; log: Log }): Relay {
  let reserved = 0
  const underWay = new Set<Promise<unknown>>()

  const settled = createBatcher<{ id: string; late: boolean }, void>({
    maxItems: 500,
    maxInFlight: 1,
    // Nobody waits for this but the figures of the outbox: a few larger statements instead of many small ones.
    linger: { ms: 20, enough: 250 },
    run: async (rows) => {
      await settleOutbox(
        db,
        rows.map(({ id }) => id),
        rows.filter(({ late }) => late).map(({ id }) => id),
      )
      return rows.map(() => undefined)
    },
  })
  const postponed = createBatcher<string, void>({
    maxItems: 500,
    maxInFlight: 1,
    run: async (ids) => {
      await postponeOutbox(db, ids)
      return ids.map(() => undefined)
    },
  })

  const publish = (outgoing: Outgoing): Promise<Published> => publisher.publish(outgoing)

  /**
   * Publishes one row and settles it by the answer. An unknown answer leaves the row to its claim: when that runs out
   * the sweep publishes it again, and the claim of the task drops whichever message comes second.
   */
  async function forward(outgoing: Outgoing, late: boolean): Promise<boolean> {
    const answer: Published = await tracing.publish(outgoing, tracedMessage, publish)
    const write =
      answer === 'confirmed'
        ? settled.add({ id: outgoing.outboxId, late })
        : answer === 'unknown'
          ? Promise.resolve()
          : postponed.add(outgoing.outboxId)
    track(
      write.catch((error: Error) =>
        log.warn({ ...idsOf(outgoing), error: error.message }, 'an outbox row could not be settled'),
      ),
    )
    return answer === 'confirmed'
  }

  function track<Result>(work: Promise<Result>): Promise<Result> {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
    return work
  }

  let before: Promise<unknown> = Promise.resolve()
  const sweep = createLoop({
    name: 'relay sweep',
    everyMs: SWEEP_EVERY_MS,
    log,
    step: async () => {
      // While the broker is away or blocked nothing is claimed: the rows just age, and the gauge tells.
      const room = Math.min(publisher.room - reserved, SWEEP_ROWS)
      if (room <= 0) return false
      const rows = await claimDue(db, room, CLAIM_SECONDS)
      const sent = Promise.all(rows.map((row) => track(forward(outgoingOf(row), row.late))))
      // The next rows are claimed while these are confirmed, so neither server waits for the other.
      await before
      before = sent
      return rows.length === room
    },
  })

  return {
    name: 'relay',
    reserve(wanted) {
      if (publisher.room - reserved < wanted) return 0
      reserved += wanted
      return CLAIM_SECONDS
    },
    release(rows) {
      reserved -= rows
    },
    publish(rows) {
      reserved -= rows.length
      return Promise.all(rows.map((row) => track(forward(freshOutgoing(row), false))))
    },
    start: sweep.start,
    async stop() {
      await sweep.stop()
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
  }
}

function idsOf({ requestId, wakeUp, client, traceparent }: Outgoing): object {
  const { id, attempt } = wakeUp
  return {
    request_id: requestId,
    task_id: id,
    attempt,
    trace_id: tracing.traceIdOf({ id, attempt, traceparent }),
    client,
  }
}

function outgoingOf(row: OutboxRow): Outgoing {
  return {
    outboxId: row.outboxId,
    wakeUp: { id: row.taskId, attempt: row.attempt, alone: row.alone },
    queue: row.queue,
    rungMs: row.rungMs,
    taskName: row.name,
    requestId: row.requestId,
    client: row.client,
    traceparent: row.traceparent,
    tracestate: row.tracestate,
  }
}

function freshOutgoing({ outboxId, task }: FreshOutboxRow): Outgoing {
  return {
    outboxId,
    wakeUp: { id: task.id, attempt: 1, alone: false },
    queue: task.queue,
    rungMs: 0,
    taskName: task.name,
    requestId: task.requestId,
    client: task.client,
    traceparent: task.traceparent,
    tracestate: task.tracestate,
  }
}
