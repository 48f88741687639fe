/** Whether the work in hand fits the processes: somebody works on every queue, and stopping leaves room for the longest task. */
import type { Contracts } from '../core/task-types.ts'
import type { Db } from '../store/db.ts'
import { consumersAlive } from '../store/reads/consumers.ts'
import { queueHealth } from '../store/reads/queues.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

/** From zero an autoscaler, a scheduler and an image that must be pulled may take this long. */
const PATIENCE_SECONDS = 120

export async function checkConsumers(db: Db): Promise<Finding[]> {
  const [alive, queues] = await Promise.all([consumersAlive(db), queueHealth(db)])
  const served = new Set(alive.flatMap((consumer) => Object.keys(consumer.queues)))
  const unserved = queues.flatMap(({ queue, pending, retrying, oldestDueSeconds }): Finding[] => {
    if (oldestDueSeconds === null || served.has(queue)) return []
    const what = `queue ${queue} has ${pending + retrying} tasks, due for up to ${Math.round(oldestDueSeconds)} s, and no living consumer`
    return [(oldestDueSeconds > PATIENCE_SECONDS ? problem : warning)('consumers', what)]
  })
  if (unserved.length > 0) return unserved
  return [ok('consumers', `every queue with due tasks has a living consumer (${alive.length} in all)`)]
}

/** Finds the task with the longest deadline among those of a queue, or of all queues worked on. */
export function longestTask(
  contracts: Contracts,
  queues: ReadonlySet<string>,
): { readonly name: string; readonly deadlineMs: number } | undefined {
  return [...contracts.values()]
    .filter(({ queue }) => queues.has(queue))
    .sort((a, b) => b.deadlineMs - a.deadlineMs || (a.name < b.name ? -1 : 1))[0]
}

export function checkGracePeriod(contracts: Contracts, queues: ReadonlySet<string>, graceSeconds: number): Finding {
  const longest = longestTask(contracts, queues)
  if (!longest) return ok('grace-period', 'no task of these queues is known, so none can outlast the grace period')
  const what = `the longest task (${longest.name}) may take ${longest.deadlineMs / 1_000} s, the grace period is ${graceSeconds} s`
  return (longest.deadlineMs > graceSeconds * 1_000 ? warning : ok)('grace-period', what)
}
