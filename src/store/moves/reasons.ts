/**
 * Why a task may wait without a message, and who is told of its end: one row each, and every move heeds it. With no row
 * the statements are as if there were none, so a plain task pays nothing for them.
 */

/** A reason to wait without a message. All texts are SQL; the platform's tables are found by their plain names. */
export interface Wait {
  /** Begins the names of its CTEs: lower-case letters and underscores. */
  readonly name: string
  /** Whether a task that would be offered now waits here instead; `o` is its row of `offered`. */
  readonly takes: string
  /** Takes them in: a statement that reads the rows of the CTE `<name>_taken`, which has the columns of `offered`. */
  readonly enter: string
  /** Whether an unfinished task waits here now; `u` is its row. Its message is not missing, then. */
  readonly holds: string
  /** Forgets tasks that have ended: a statement that reads the CTE `ended`. */
  readonly leave: string
}

/** Somebody who is told that a task has ended. */
export interface FollowUp {
  /** Names its CTE: lower-case letters and underscores. */
  readonly name: string
  /** A statement that reads the CTE `ended`: `task_id`, `next` (how it ended), and the other columns of a move. */
  readonly tell: string
}

export const WAITS: readonly Wait[] = []

export const FOLLOW_UPS: readonly FollowUp[] = []
