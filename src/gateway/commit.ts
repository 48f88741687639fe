/**
 * Commits a batch of tasks once, and hands what is due straight to the relay in this process (the fast path). A row that
 * PostgreSQL refuses takes none of its batch with it.
 */
import { isDataFault, isPartitionMissing } from '../core/database-errors.ts'
import type { FreshOutboxRow, NewTask } from '../core/new-task.ts'
import type { Log } from '../runtime/log.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Db } from '../store/db.ts'
import { type Accepted, accept } from '../store/moves/accept.ts'

/** The relay's side in the same process, handed over by roles/api/api.ts. */
export interface FastPath {
  /** Takes room for up to `wanted` rows and says for how many seconds they may be claimed, or 0 when there is none. */
  reserve(wanted: number): number
  /** Publishes rows that were reserved. Resolves with which of them the broker confirmed, in their order; never rejects. */
  publish(rows: readonly FreshOutboxRow[]): Promise<readonly boolean[]>
  /** Gives back what was reserved and is not needed. */
  release(rows: number): void
}

export interface Committed {
  /** In the order of the tasks. */
  readonly outcomes: readonly Accepted[]
  /**
   * Which of them the broker confirmed, in the same order; it never rejects. What is not due, was not accepted now, or had
   * no room in the fast path counts as not confirmed.
   */
  readonly confirmed: Promise<readonly boolean[]>
}

export interface Commits {
  /**
   * Commits tasks together, and says what became of each.
   * When it rejects none was accepted, or the connection broke and it is not known.
   */
  commit(tasks: readonly NewTask[]): Promise<Committed>
}

export interface CommitsOptions {
  readonly db: Db
  readonly fastPath: FastPath
  /** What this process is called in the history of the tasks it accepts. */
  readonly name: string
  /** Names the client in metrics: a closed set. */
  readonly clientLabel: (client: string) => string
  /** Answers tell whether the broker confirmed. */
  readonly waitsForConfirm: boolean
  readonly log: Log
}

export function createCommits(options: CommitsOptions): Commits {
  return {
    async commit(tasks) {
      try {
        return await commitBatch(options, tasks)
      } catch (error) {
        if (!isOfOneRow(error)) throw error
        return tasks.length === 1 ? refused(error) : commitSingly(options, tasks)
      }
    },
  }
}

/** The data of one row may be the cause, or that one row's day has no partition. */
const isOfOneRow = (error: unknown): boolean => isDataFault(error) || isPartitionMissing(error)

const refused = (error: unknown): Committed => ({
  outcomes: [{ kind: 'failed', error }],
  confirmed: Promise.resolve([false]),
})

async function commitSingly(options: CommitsOptions, tasks: readonly NewTask[]): Promise<Committed> {
  const singles: Committed[] = []
  for (const task of tasks) singles.push(await commitBatch(options, [task]).catch(refused))
  return {
    outcomes: singles.flatMap(({ outcomes }) => outcomes),
    confirmed: Promise.all(singles.map(({ confirmed }) => confirmed)).then((all) => all.flat()),
  }
}

async function commitBatch(options: CommitsOptions, tasks: readonly NewTask[]): Promise<Committed> {
  const { db, fastPath, name, waitsForConfirm } = options
  metrics.acceptBatchRows.observe({}, tasks.length)
  const claimSeconds = fastPath.reserve(tasks.length)
  let published = 0
  try {
    const outcomes = await accept(db, tasks, claimSeconds, name, waitsForConfirm)
    const due = claimSeconds > 0 ? dueOf(tasks, outcomes) : []
    published = due.length
    const confirmed = due.length > 0 ? confirmedOf(tasks, due, fastPath.publish(due)) : noneConfirmed(tasks)
    report(options, tasks, outcomes)
    return { outcomes, confirmed }
  } finally {
    if (claimSeconds > 0) fastPath.release(tasks.length - published)
  }
}

const noneConfirmed = (tasks: readonly NewTask[]): Promise<readonly boolean[]> =>
  Promise.resolve(tasks.map(() => false))

/** What may begin at once. */
function dueOf(tasks: readonly NewTask[], outcomes: readonly Accepted[]): FreshOutboxRow[] {
  const due: FreshOutboxRow[] = []
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.kind === 'accepted' && outcome.isDue) {
      due.push({ outboxId: outcome.outboxId, task: tasks[at] as NewTask })
    }
  }
  return due
}

async function confirmedOf(
  tasks: readonly NewTask[],
  published: readonly FreshOutboxRow[],
  answers: Promise<readonly boolean[]>,
): Promise<readonly boolean[]> {
  const answered = await answers
  if (published.length === tasks.length) return answered
  const confirmed = new Set(published.flatMap(({ task }, at) => (answered[at] ? [task] : [])))
  return tasks.map((task) => confirmed.has(task))
}

/** Counts once for each task type and client of the batch. */
function report({ clientLabel, log }: CommitsOptions, tasks: readonly NewTask[], outcomes: readonly Accepted[]): void {
  const isLogged = log.isLevelEnabled('info')
  let last: { readonly name: string; readonly client: string; count: number } | undefined
  const count = (): void => {
    if (last) metrics.tasksAccepted.inc({ task: last.name, client: clientLabel(last.client) }, last.count)
  }
  for (const [at, { kind }] of outcomes.entries()) {
    if (kind !== 'accepted') continue
    const { id, name, queue, client, requestId, traceId } = tasks[at] as NewTask
    if (last?.name === name && last.client === client) last.count += 1
    else {
      count()
      last = { name, client, count: 1 }
    }
    if (isLogged) {
      log.info({ request_id: requestId, task_id: id, task: name, queue, trace_id: traceId, client }, 'task accepted')
    }
  }
  count()
}
