/**
 * Says in one plain sentence why a task stands where it stands: rules over facts, no guesses. Pure; each rule is tested.
 */
import type { TaskJson } from './task-json.ts'

/** @param now milliseconds since 1970, to tell waiting from being due */
export function whyOf(task: TaskJson, now: number): string {
  switch (task.status) {
    case 'SUCCESS':
      return `It succeeded ${task.attempt === 1 ? 'at the first attempt' : `at attempt ${task.attempt}`}${after(task)}.`
    case 'FAILED':
      return whyFailed(task)
    case 'CANCELLED':
      return task.attempts.length === 0
        ? 'It was cancelled before it began.'
        : `It was cancelled after ${attempts(task.attempts.length)}.`
    case 'RUNNING':
      return `Attempt ${task.attempt} is running${task.startedAt === null ? '' : ` since ${task.startedAt}`}${after(task)}.`
    case 'RETRYING':
      return `${lastFailure(task)}, and attempt ${task.attempt + 1} ${isAhead(task, now) ? `is due at ${task.dueAt}` : 'is due and waits for a consumer'}.`
    case 'PENDING':
      return whyPending(task, now)
  }
}

function whyFailed(task: TaskJson): string {
  const error = task.error ? `: ${task.error.name}: ${shortened(task.error.message)}` : ''
  switch (task.failureReason) {
    case 'non_retryable':
      return `Attempt ${task.attempt} failed in a way that repeating cannot help${error}.`
    case 'expired':
      return `It had not begun when it expired${task.expiresAt === null ? '' : ` at ${task.expiresAt}`}.`
    case 'crash':
      return `The process that ran it died ${times(task.crashes)}, at the end with nothing else in it, so it is held to be the cause.`
    case 'invalid_payload':
      return `Its payload does not fit what the task type asks for now${error}.`
    case 'failures':
      return `It failed ${times(task.failures)}, as often as it may; the last error was${error || ' not kept'}.`.replace(
        'was:',
        'was',
      )
    default:
      return `It failed${error}.`
  }
}

function whyPending(task: TaskJson, now: number): string {
  const last = task.attempts.at(-1)
  if (isAhead(task, now)) return `It waits for its time, ${task.dueAt}.`
  if (last?.outcome === 'crash')
    return `The process that ran attempt ${last.attempt} died; it waits for a consumer again, uncharged.`
  if (last?.outcome === 'handed_back')
    return `Attempt ${last.attempt} was handed back, uncharged; it waits for a consumer again.`
  if (last)
    return `It was sent round again after ${attempts(task.attempts.length)} and waits for a consumer of queue ${task.queue}.`
  return `It waits for a consumer of queue ${task.queue} since ${task.dueAt ?? task.createdAt}.`
}

function lastFailure(task: TaskJson): string {
  const last = task.attempts.findLast(({ outcome }) => outcome === 'failure')
  if (!last) return `It has failed ${times(task.failures)}`
  return `Attempt ${last.attempt} failed${last.error ? ` with ${last.error.name}: ${shortened(last.error.message)}` : ''}`
}

const after = ({ failures }: TaskJson): string =>
  failures === 0 ? '' : `, after ${failures === 1 ? 'one failure' : `${failures} failures`}`
const isAhead = ({ dueAt }: TaskJson, now: number): boolean => dueAt !== null && Date.parse(dueAt) > now
const attempts = (count: number): string => (count === 1 ? 'one attempt' : `${count} attempts`)
const times = (count: number): string => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`)
const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)
