/** Asks whether a task is admitted, and refuses as the standards have it (429, Retry-After, RateLimit). */

import type { NewTask } from '../core/new-task.ts'
import type { Admitted, Standing } from '../core/standing.ts'
import { Problem } from '../http/problem.ts'

/** What the admission must know of a task. */
export type AskedFor = Pick<NewTask, 'queue' | 'client' | 'name'>

/** The admission in the same process, handed over by roles/api/api.ts. */
export interface Admission {
  /** Decides about one task, and counts it. */
  admit(task: AskedFor): Admitted
}

/**
 * Admits a task, or throws.
 * @throws Problem queue-full with everything the client needs to come again at the right time; unavailable when nothing
 *   is known of the queue
 */
export function admitOrRefuse(admission: Admission, task: AskedFor): Standing {
  const admitted = admission.admit(task)
  if (admitted.isAdmitted) return admitted.standing
  const { standing, retryAfterSeconds } = admitted
  const { queue, backlog, limit, sharePerSecond } = standing
  // The database has not answered for long: that is our trouble and not the client's.
  if (backlog === undefined) {
    throw new Problem('unavailable', `how deep queue ${queue} is cannot be known now`, { retryAfterSeconds })
  }
  const depth = `${backlog} tasks wait, the limit is ${limit}`
  throw new Problem('queue-full', `queue ${queue} is full for you: ${depth}, and you ask for more than your share`, {
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
