/** How dear a consumer is to end: three classes, so that its pod is written to when that changes and not all the time. */
import type { Busy } from '../store/reads/consumers.ts'

/** What Kubernetes takes for a pod without a cost: an idle consumer need not be written to at all. */
export const IDLE_COST = 0
export const BUSY_COST = 100
/** It would lose more than a moment's work when its attempts are handed back and begin anew. */
export const LONG_RUNNING_COST = 200
const LONG_RUNNING_MS = 60_000

/** A consumer of short tasks is idle and busy by turns; only one that stays cheaper this long is said to be so. */
export const CALM_MS = 30_000

/** Says what it would cost to end a consumer now. */
export function costOf({ running, oldestMs }: Pick<Busy, 'running' | 'oldestMs'>): number {
  if (running === 0) return IDLE_COST
  return oldestMs < LONG_RUNNING_MS ? BUSY_COST : LONG_RUNNING_COST
}

export interface Steady {
  /**
   * Says which cost to show, given what it is now and at this moment: a rise at once, a fall once it has lasted.
   * @param at milliseconds of a monotonic clock
   */
  next(cost: number, at: number): number
}

/** Begins at the first cost it is told. */
export function createSteady(): Steady {
  let shown: number | undefined
  let lower: { readonly since: number; most: number } | undefined
  return {
    next(cost, at) {
      if (shown === undefined || cost >= shown) {
        shown = cost
        lower = undefined
        return shown
      }
      lower ??= { since: at, most: cost }
      lower.most = Math.max(lower.most, cost)
      if (at - lower.since < CALM_MS) return shown
      shown = lower.most
      lower = undefined
      return shown
    },
  }
}
