/** Looks at how much work each queue has: what waits on the broker, what waits for it in the outbox, what runs. */
import type { DepthProbe } from '../broker/depth.ts'
import { remembered, within } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { outboxState } from '../store/reads/outbox.ts'
import { runningByQueue } from '../store/reads/queues.ts'

export interface QueueWork {
  /** Messages ready on the broker and due outbox rows; undefined when the broker does not tell. */
  readonly backlog: number | undefined
  /** Attempts under way, as old as the consumers' last renewals of their leases. */
  readonly running: number
}

export interface FiguresOptions {
  readonly db: Db
  readonly depth: DepthProbe
  readonly queues: readonly string[]
}

/** Whoever asks gives up after some seconds, and no figure is better than a late one. */
const PATIENCE_MS = 2_000
const REMEMBERED_MS = 1_000

/**
 * Makes the look at all queues. It is taken when somebody asks, at most once a second, so that no figure is older.
 * The look rejects when the database does not answer within 2 s.
 */
export function createFigures({ db, depth, queues }: FiguresOptions): () => Promise<ReadonlyMap<string, QueueWork>> {
  // In the direction of a task's way: what moves on meanwhile is counted twice, not lost between two looks.
  async function look(): Promise<ReadonlyMap<string, QueueWork>> {
    const { byQueue: outbox } = await outboxState(db)
    const ready = new Map<string, number | undefined>()
    // One after the other: a missing queue closes the channel, and would take the answers of the others with it.
    for (const queue of queues) ready.set(queue, (await depth.depthOf(queue))?.ready)
    const running = await runningByQueue(db)
    return new Map(
      queues.map((queue) => {
        const waits = ready.get(queue)
        const backlog = waits === undefined ? undefined : waits + (outbox[queue] ?? 0)
        return [queue, { backlog, running: running.get(queue) ?? 0 }]
      }),
    )
  }

  const late = (): Error => new Error(`no answer within ${PATIENCE_MS / 1_000} s`)
  return remembered(REMEMBERED_MS, () => within(PATIENCE_MS, look(), late))
}
