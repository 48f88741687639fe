/**
 * Gathers the tasks of concurrent requests into micro-batches, commits each batch once, and hands what is due straight
 * to the relay in this process (the fast path). The answer waits for the commit only, never for the broker.
 */
import type { FreshOutboxRow, NewTask } from '../core/new-task.ts'
import { createBatcher } from '../runtime/batch.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import { type Db, isDataFault } from '../store/db.ts'
import { type Accepted, accept } from '../store/moves/accept.ts'

/** The relay's door in the same process, handed over by roles/api.ts. */
export interface FastPath {
  /** Takes room for up to `wanted` rows and says for how many seconds they may be claimed, or 0 when there is none. */
  reserve(wanted: number): number
  /** Publishes rows that were reserved. Each promise resolves with whether the broker confirmed it; none rejects. */
  publish(rows: readonly FreshOutboxRow[]): readonly Promise<boolean>[]
  /** Gives back what was reserved and is not needed. */
  release(rows: number): void
}

export interface Acceptance {
  readonly accepted: Accepted
  /** Resolves with whether the broker confirmed the task's message; absent when the sweep will publish it. */
  readonly confirmed?: Promise<boolean>
}

export interface Acceptor {
  /**
   * Commits a task, together with whatever else arrives at the same time, and says what became of it.
   * When it rejects the task was not accepted, or the connection broke and it is not known.
   */
  accept(task: NewTask): Promise<Acceptance>
}

const MAX_BATCH_ROWS = 500
const MAX_BATCH_BYTES = 4 * 1024 * 1024

export interface AcceptorOptions {
  readonly db: Db
  readonly fastPath: FastPath
  /** What this process is called in the history of the tasks it accepts. */
  readonly name: string
  /** Names the client in metrics: a closed set. */
  readonly clientLabel: (client: string) => string
  readonly log: Log
}

export function createAcceptor({ db, fastPath, name, clientLabel, log }: AcceptorOptions): Acceptor {
  async function run(tasks: readonly NewTask[]): Promise<Acceptance[]> {
    metrics.acceptBatchRows.observe({}, tasks.length)
    const claimSeconds = fastPath.reserve(tasks.length)
    let published = 0
    try {
      const results = await accept(db, tasks, claimSeconds, name)
      const acceptances: Acceptance[] = results.map((accepted) => ({ accepted }))
      if (claimSeconds > 0) {
        const rows: FreshOutboxRow[] = []
        const at: number[] = []
        for (const [index, accepted] of results.entries()) {
          if (accepted.kind !== 'accepted' || !accepted.isDue) continue
          rows.push({ outboxId: accepted.outboxId, task: tasks[index] as NewTask })
          at.push(index)
        }
        published = rows.length
        for (const [index, confirmed] of fastPath.publish(rows).entries()) {
          const place = at[index] as number
          acceptances[place] = { accepted: results[place] as Accepted, confirmed }
        }
      }
      for (const [index, accepted] of results.entries()) count(tasks[index] as NewTask, accepted)
      return acceptances
    } finally {
      if (claimSeconds > 0) fastPath.release(tasks.length - published)
    }
  }

  function count(task: NewTask, accepted: Accepted): void {
    if (accepted.kind !== 'accepted') return
    metrics.tasksAccepted.inc({ task: task.name, client: clientLabel(task.client) })
    const { id, name, queue, client, requestId, traceId } = task
    log.info({ request_id: requestId, task_id: id, task: name, queue, trace_id: traceId, client }, 'task accepted')
  }

  const batcher = createBatcher<NewTask, Acceptance>({
    name: 'accept',
    run,
    maxItems: MAX_BATCH_ROWS,
    maxBytes: MAX_BATCH_BYTES,
    bytesOf: ({ payload }) => payload.length + 500,
    // With one at a time the api would stand still while PostgreSQL commits.
    maxInFlight: 2,
    keysOf: ({ client, keys }) => keys.map(({ key }) => `${client}\n${key}`),
    isItemFault: isDataFault,
  })

  return { accept: batcher.add }
}
