/** What a handler may throw to say more than "it failed". Anything else it throws is a failure that is retried. */

/** Ends the task as FAILED at once: repeating it cannot help. */
export class NonRetryable extends Error {
  override name = 'NonRetryable'
}

/** Fails this attempt and asks that the next one does not begin before a moment (as HTTP's `Retry-After` does). */
export class NotBefore extends Error {
  override name = 'NotBefore'
  readonly delayMs: number

  /** @param delayMs how long to wait, counted from the end of the attempt; 0 or more, at most 30 days */
  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super(message, options)
    this.delayMs = Math.min(Math.max(0, Math.round(delayMs)), 30 * 86_400_000)
  }
}

/** The reason of an abort signal: why the platform asks a handler to stop. */
export class Aborted extends Error {
  override name = 'Aborted'
  readonly why: 'deadline' | 'cancelled' | 'drain' | 'lease_lost'

  constructor(why: 'deadline' | 'cancelled' | 'drain' | 'lease_lost') {
    super(
      {
        deadline: 'the attempt passed its deadline',
        cancelled: 'the task was cancelled, or another decided about it',
        drain: 'the consumer is shutting down',
        lease_lost: 'the consumer lost its lease',
      }[why],
    )
    this.why = why
  }
}
