/**
 * Says in one sentence why a task stands where it stands: first where, then what led there, in order. Rules over facts,
 * no guesses; where the facts do not tell, it says so. Pure; docs/why.md has the rules as a table.
 */
import { DEATHS_BEFORE_ALONE } from '../core/retry.ts'
import type { AttemptJson, TaskJson } from '../status/task-json.ts'
import type { OperationView } from '../store/reads/operations.ts'
import { alikeEndOf, causeOf, endedAlike } from './why-failed.ts'
import { lengthOf, type Wait, WORTH_SAYING_MS, waitedFor } from './why-waited.ts'
import { countWords, durationWords, shortened, timesWords } from './words.ts'

/** What a task's own answer does not have. */
export interface Story {
  /** When it was to begin, as the client asked. */
  readonly runAt: string | null
  /** What runs it now, with its version. */
  readonly runBy: string | null
  /** The wait that lasts, or else the longest, when it is worth saying. */
  readonly wait: Wait | null
  readonly operations: readonly OperationView[]
}

/** So many clauses at most: the first, and the last ones. */
const MOST_CLAUSES = 6

/** @param now milliseconds since 1970, by the clock of the times in the facts */
export function whyOf(task: TaskJson, story: Story, now: number): string {
  const clauses = clausesOf(task, story)
  const left = clauses.length - MOST_CLAUSES
  const said = left > 0 ? [clauses[0], `${left} more things happened`, ...clauses.slice(1 - MOST_CLAUSES)] : clauses
  return said.length === 0 ? `${standOf(task, story, now)}.` : `${standOf(task, story, now)}: ${said.join('; ')}.`
}

function standOf(task: TaskJson, story: Story, now: number): string {
  const next = task.attempt + 1
  switch (task.status) {
    case 'SUCCESS':
      return `It succeeded ${task.attempt === 1 ? 'at the first attempt' : `at attempt ${task.attempt}`}`
    case 'FAILED':
      return failedOf(task)
    case 'CANCELLED':
      return cancelledOf(task, story)
    case 'RUNNING':
      return `Attempt ${task.attempt} runs${story.runBy === null ? '' : ` on ${story.runBy}`} since ${task.startedAt}`
    case 'RETRYING':
      return isAhead(task, now)
        ? `It waits ${durationWords(Date.parse(task.dueAt as string) - now)} more for attempt ${next}, due at ${task.dueAt}`
        : `Attempt ${next} is due since ${task.dueAt} and waits for a consumer of queue ${task.queue}`
    case 'PENDING':
      if (!isAhead(task, now)) return `It waits for a consumer of queue ${task.queue} since ${task.dueAt}`
      return task.attempts.length === 0
        ? `It waits for its time, ${task.dueAt}, as it was asked to`
        : `Attempt ${next} is due at ${task.dueAt}`
  }
}

function failedOf(task: TaskJson): string {
  switch (task.failureReason) {
    case 'non_retryable':
      return `It failed for good at attempt ${task.attempt}, because its error says that repeating cannot help`
    case 'expired':
      return `It expired${task.expiresAt === null ? '' : ` at ${task.expiresAt}`} before attempt ${task.attempt + 1} began`
    case 'crash':
      return `It failed for good because its process died under it ${timesWords(task.crashes)}, at the end with nothing else in the process`
    case 'invalid_payload':
      return `It failed for good at attempt ${task.attempt}, because its payload does not fit what the task type asks for now`
    case 'failures':
      return `It failed for good after ${countWords(task.failures, 'failure')}, as many as it may have`
    default:
      return `It failed${task.error ? `, ${causeOf(task.error)}` : ''}, and the facts do not tell why for good`
  }
}

function cancelledOf({ attempts }: TaskJson, { operations }: Story): string {
  const cancel = operations.findLast(({ action }) => action === 'cancel')
  const by = cancel ? ` by ${actorOf(cancel)}` : ''
  if (attempts.at(-1)?.outcome === 'cancelled')
    return `It was cancelled${by} while attempt ${attempts.at(-1)?.attempt} ran`
  return attempts.length === 0
    ? `It was cancelled${by} before it began`
    : `It was cancelled${by} after ${countWords(attempts.length, 'attempt')}`
}

interface Clause {
  readonly at: number
  readonly text: string
}

/** What led there, oldest first. */
function clausesOf(task: TaskJson, { runAt, wait, operations }: Story): string[] {
  const clauses: Clause[] = groupsOf(task.attempts, operations).map(([first, last]) => ({
    at: Date.parse(last.endedAt),
    text: alikeEndOf(first, last),
  }))
  for (const operation of operations) {
    if (operation.action !== 'redrive') continue
    clauses.push({ at: operation.at.getTime(), text: `${actorOf(operation)} sent it round again` })
  }
  const askedMs = runAt === null ? 0 : Date.parse(runAt) - Date.parse(task.createdAt)
  if (askedMs >= WORTH_SAYING_MS && (task.attempts.length > 0 || task.status === 'RUNNING')) {
    clauses.push({ at: Date.parse(task.createdAt), text: `it was asked to begin ${durationWords(askedMs)} later` })
  }
  if (wait !== null && lengthOf(wait) >= WORTH_SAYING_MS) {
    clauses.push({ at: Date.parse(wait.from) + 1, text: waitedFor(wait, task.queue) })
  }
  if (task.crashes >= DEATHS_BEFORE_ALONE && task.finishedAt === null) {
    clauses.push({
      at: Number.POSITIVE_INFINITY,
      text: `since it was there when a process died ${timesWords(task.crashes)}, it runs only with nothing beside it`,
    })
  }
  return clauses.sort((a, b) => a.at - b.at).map(({ text }) => text)
}

/** Joins attempts that ended alike one after the other, with no redrive between. The success at the end is said already. */
function groupsOf(
  attempts: readonly AttemptJson[],
  operations: readonly OperationView[],
): [AttemptJson, AttemptJson][] {
  const isBetween = (a: AttemptJson, b: AttemptJson): boolean =>
    operations.some(({ at }) => at.getTime() >= Date.parse(a.endedAt) && at.getTime() <= Date.parse(b.startedAt))
  const groups: [AttemptJson, AttemptJson][] = []
  for (const attempt of attempts) {
    const group = groups.at(-1)
    if (attempt === attempts.at(-1) && ['success', 'cancelled'].includes(attempt.outcome)) continue
    if (group && endedAlike(group[1], attempt) && !isBetween(group[1], attempt)) group[1] = attempt
    else groups.push([attempt, attempt])
  }
  return groups
}

const actorOf = ({ actor, reason }: OperationView): string =>
  reason === null ? actor : `${actor} (${shortened(reason)})`
const isAhead = ({ dueAt }: TaskJson, now: number): boolean => dueAt !== null && Date.parse(dueAt) > now
