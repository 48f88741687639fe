/**
 * Gathers the tasks of concurrent requests into micro-batches, commits each batch once, and hands what is due straight
 * to the relay in this process (the fast path). The answer waits for the commit only, never for the broker.
 */

import { isDataFault, isPartitionMissing } from '../core/database-errors.ts'
import type { FreshOutboxRow, NewTask } from '../core/new-task.ts'
import { createBatcher } from '../runtime/batch.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Db } from '../store/db.ts'
import { type Accepted, accept } from '../store/moves/accept.ts'

/** The relay's side in the same process, handed over by roles/api/api.ts. */
export interface FastPath {
  /** Takes room for up to `wanted` rows and says for how many seconds they may be claimed, or 0 when there is none. */
  reserve(wanted: number): number
  /** Publishes rows that were reserved. Each promise resolves with whether the broker confirmed it; none rejects. */
  publish(rows: readonly FreshOutboxRow[]): readonly Promise<boolean>[]
  /** Gives back what was reserved and is not needed. */
  release(rows: number): void
}

export interface Committed {
  readonly accepted: Accepted
  /** Resolves with whether the broker confirmed the task's message; absent when the sweep will publish it. */
  readonly confirmed?: Promise<boolean>
}

export interface GroupCommit {
  /**
   * Commits a task, together with whatever else arrives at the same time, and says what became of it.
   * When it rejects the task was not accepted, or the connection broke and it is not known.
   */
  commit(task: NewTask): Promise<Committed>
}

const MAX_BATCH_ROWS = 500
const MAX_BATCH_BYTES = 4 * 1024 * 1024

export interface GroupCommitOptions {
  readonly db: Db
  readonly fastPath: FastPath
  /** What this process is called in the history of the tasks it accepts. */
  readonly name: string
  /** Names the client in metrics: a closed set. */
  readonly clientLabel: (client: string) => string
  readonly log: Log
}

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const batcher = createBatcher<NewTask, Committed>({
    name: 'accept',
    run: (tasks) => commitBatch(options, tasks),
    maxItems: MAX_BATCH_ROWS,
    maxBytes: MAX_BATCH_BYTES,
    bytesOf: ({ payload }) => payload.length + 500,
    // With one at a time the api would stand still while PostgreSQL commits.
    maxInFlight: 2,
    keysOf: ({ client, keys }) => keys.map(({ key }) => `${client}\n${key}`),
    isItemFault: (error) => isDataFault(error) || isPartitionMissing(error),
  })
  return { commit: batcher.add }
}

async function commitBatch(options: GroupCommitOptions, tasks: readonly NewTask[]): Promise<Committed[]> {
  const { db, fastPath, name } = options
  metrics.acceptBatchRows.observe({}, tasks.length)
  const claimSeconds = fastPath.reserve(tasks.length)
  let published = 0
  try {
    const results = await accept(db, tasks, claimSeconds, name)
    const committed: Committed[] = results.map((accepted) => ({ accepted }))
    if (claimSeconds > 0) published = publishDue(fastPath, tasks, committed)
    for (const [index, accepted] of results.entries()) report(options, tasks[index] as NewTask, accepted)
    return committed
  } finally {
    if (claimSeconds > 0) fastPath.release(tasks.length - published)
  }
}

/** Publishes what may begin at once, and sets the promises of its confirms. @returns how many rows that were */
function publishDue(fastPath: FastPath, tasks: readonly NewTask[], committed: Committed[]): number {
  const rows: FreshOutboxRow[] = []
  const at: number[] = []
  for (const [index, { accepted }] of committed.entries()) {
    if (accepted.kind !== 'accepted' || !accepted.isDue) continue
    rows.push({ outboxId: accepted.outboxId, task: tasks[index] as NewTask })
    at.push(index)
  }
  for (const [index, confirmed] of fastPath.publish(rows).entries()) {
    const place = at[index] as number
    committed[place] = { accepted: (committed[place] as Committed).accepted, confirmed }
  }
  return rows.length
}

function report({ clientLabel, log }: GroupCommitOptions, task: NewTask, accepted: Accepted): void {
  if (accepted.kind !== 'accepted') return
  metrics.tasksAccepted.inc({ task: task.name, client: clientLabel(task.client) })
  const { id, name, queue, client, requestId, traceId } = task
  log.info({ request_id: requestId, task_id: id, task: name, queue, trace_id: traceId, client }, 'task accepted')
}
