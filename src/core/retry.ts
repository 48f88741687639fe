/** What follows a failed attempt: the next rung, a moment asked for, or the end. Pure. */
import { isNonRetryable, isNotBefore } from 'nightshift-tasks'

/** From the second death on a task runs by itself; this many deaths end it. Two of them were then alone. */
export const DEATHS_BEFORE_ALONE = 2
export const DEATHS_BEFORE_FAILED = 4

export type Verdict =
  | { readonly next: 'rung'; readonly delayMs: number }
  | { readonly next: 'not_before'; readonly delayMs: number }
  | { readonly next: 'failed'; readonly reason: 'failures' | 'non_retryable' }

/**
 * Decides what becomes of a task whose attempt failed.
 *
 * @param thrown what the handler threw
 * @param failures charged failures including this one, 1 or more
 * @param ladderMs waits before each retry; a task has one attempt more than it has rungs
 * @param maxAttempts the client's own limit of charged attempts; beyond the ladder the last rung repeats
 */
export function verdictOf(
  thrown: unknown,
  failures: number,
  ladderMs: readonly number[],
  maxAttempts: number | null,
): Verdict {
  if (isNonRetryable(thrown)) return { next: 'failed', reason: 'non_retryable' }
  const rung = ladderMs[Math.min(failures, ladderMs.length) - 1]
  if (failures >= (maxAttempts ?? ladderMs.length + 1)) return { next: 'failed', reason: 'failures' }
  if (isNotBefore(thrown)) return { next: 'not_before', delayMs: thrown.delayMs }
  if (rung === undefined) return { next: 'not_before', delayMs: 0 }
  return { next: 'rung', delayMs: rung }
}
