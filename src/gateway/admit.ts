/** Asks whether tasks are admitted, and refuses as the standards have it (429, Retry-After, RateLimit). */

import { stringFieldOf } from '../core/json-text.ts'
import type { NewTask } from '../core/new-task.ts'
import type { Admitted, Standing } from '../core/standing.ts'
import type { Contracts } from '../core/task-types.ts'
import { textOf } from '../http/input.ts'
import { Problem } from '../http/problem.ts'
import type { Row } from './row.ts'

/** What the admission must know of a task. */
export type AskedFor = Pick<NewTask, 'queue' | 'client' | 'name'>

/** The admission in the same process, handed over by roles/api/api.ts. */
export interface Admission {
  /** Decides about so many tasks of one kind that come together, all of them or none, and counts them. */
  admit(task: AskedFor, count: number): Admitted
  /** Tells whether every client may have all that it asks for, so that there is nothing to decide about each task. */
  isCalm(queue: string): boolean
}

/**
 * Sets the standing of each row that is admitted, or the problem of one that is not: queue-full with everything the
 * client needs to come again at the right time, or unavailable when nothing is known of the queue. While a queue is calm
 * it is asked once for all rows of a client and a task type.
 */
export function admit(admission: Admission, rows: readonly Row[]): void {
  const alike = new Map<string, Row[]>()
  for (const row of rows) {
    const { queue, client, name } = row.task as NewTask
    if (row.standing) noteAhead(row)
    else if (!admission.isCalm(queue)) admitTogether(admission, row.task as NewTask, [row])
    else {
      const key = `${client}\n${queue}\n${name}`
      const group = alike.get(key)
      if (group) group.push(row)
      else alike.set(key, [row])
    }
  }
  for (const group of alike.values()) admitTogether(admission, (group[0] as Row).task as NewTask, group)
}

/** A body of so many bytes is asked about before it is read: reading it is what costs. */
const LARGE_BYTES = 16_384

/**
 * Asks about a large row before it is parsed, by the name and the queue that its text shows: a client over its share is
 * refused for less than its body has cost to send. A row with a key may be a repeat, which is not new work.
 */
export function admitEarly(admission: Admission, contracts: Contracts, row: Row): void {
  if (row.size <= LARGE_BYTES || row.key !== undefined || row.form.keyOf) return
  row.sent = typeof row.sent === 'string' ? row.sent : textOf(row.sent)
  const { form, sent, call } = row
  const contract = contracts.get(form.task ?? stringFieldOf(sent, 'name') ?? '')
  if (!contract || contract.idempotencyKey) return
  const asked = form.task === undefined ? stringFieldOf(sent, 'queue') : undefined
  const task = { name: contract.name, queue: asked ?? contract.queue, client: call.caller.client }
  if (!admission.isCalm(task.queue)) admitTogether(admission, task, [row])
}

function admitTogether(admission: Admission, task: AskedFor, rows: readonly Row[]): void {
  const admitted = admission.admit(task, rows.length)
  const problem = admitted.isAdmitted ? undefined : refusalOf(admitted.standing, admitted.retryAfterSeconds)
  for (const row of rows) {
    row.standing = admitted.standing
    row.problem = problem
    noteAhead(row)
  }
}

/** Only a task that may begin at once waits behind those that are there. */
function noteAhead({ task, standing }: Row): void {
  if (task && task.runAt === null && task.delayMs === null) task.ahead = standing?.backlog ?? null
}

function refusalOf(standing: Standing, retryAfterSeconds: number): Problem {
  const { queue, backlog, limit, sharePerSecond } = standing
  // The database has not answered for long: that is our trouble and not the client's.
  if (backlog === undefined) {
    return new Problem('unavailable', `how deep queue ${queue} is cannot be known now`, { retryAfterSeconds })
  }
  const depth = `${backlog} tasks wait, the limit is ${limit}`
  return new Problem('queue-full', `queue ${queue} is full for you: ${depth}, and you ask for more than your share`, {
    headers: rateLimitHeaders(standing, retryAfterSeconds),
    retryAfterSeconds,
    members: { queue, backlog, limit, sharePerSecond: rounded(sharePerSecond) },
  })
}

/**
 * The share as `RateLimit-Policy` (tasks per window of 10 s) and `RateLimit` (how many are left, and in how many seconds
 * there will be more), in the structured form of draft-ietf-httpapi-ratelimit-headers.
 */
export function rateLimitHeaders({ queue, sharePerSecond, left }: Standing, resetSeconds = 1): Record<string, string> {
  return {
    'ratelimit-policy': `"${queue}";q=${Math.max(1, Math.floor(sharePerSecond * 10))};w=10`,
    ratelimit: `"${queue}";r=${left};t=${resetSeconds}`,
  }
}

/** What a 202 may say of the start: how many wait before it, and when it will begin; only what there is a basis for. */
export function estimateOf(
  { backlog, startsInSeconds }: Standing,
  isDue: boolean,
): { ahead?: number; estimatedStart?: string } {
  if (!isDue || backlog === undefined) return {}
  const start = startsInSeconds === undefined ? undefined : new Date(Date.now() + startsInSeconds * 1_000)
  return { ahead: backlog, ...(start ? { estimatedStart: start.toISOString() } : {}) }
}

const rounded = (value: number): number => Math.round(value * 100) / 100
