/** The states of a task and the moves between them. The same words stand in the API, SQL, metrics, logs and docs. */

const UNFINISHED = ['PENDING', 'RUNNING', 'RETRYING'] as const
const FINISHED = ['SUCCESS', 'FAILED', 'CANCELLED'] as const
export const STATUSES = [...UNFINISHED, ...FINISHED] as const

export type Unfinished = (typeof UNFINISHED)[number]
export type Finished = (typeof FINISHED)[number]
export type Status = (typeof STATUSES)[number]

/** How one attempt ended. `handed_back` and `crash` are not charged against the retry ladder. */
export const ATTEMPT_OUTCOMES = ['success', 'failure', 'handed_back', 'crash', 'cancelled'] as const
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number]

/** Why a task became FAILED. */
export const FAILURE_REASONS = ['failures', 'non_retryable', 'invalid_payload', 'expired', 'crash'] as const
export type FailureReason = (typeof FAILURE_REASONS)[number]

/**
 * Every allowed move. The `where` of each SQL move in `store/` holds it, and a test compares the two.
 * FAILED -> PENDING is the redrive, which always leaves a row in `operation`.
 */
export const MOVES: Readonly<Record<Status, readonly Status[]>> = {
  PENDING: ['RUNNING', 'FAILED', 'CANCELLED'],
  RUNNING: ['SUCCESS', 'FAILED', 'RETRYING', 'PENDING', 'CANCELLED'],
  RETRYING: ['RUNNING', 'FAILED', 'CANCELLED'],
  SUCCESS: [],
  FAILED: ['PENDING'],
  CANCELLED: [],
}

/** Tells whether a task in this state can still change by itself. */
export function isFinished(status: Status): status is Finished {
  return (FINISHED as readonly Status[]).includes(status)
}
