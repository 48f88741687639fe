/**
 * What a handler may throw to say more than "it failed". Anything else it throws is a failure that is retried.
 *
 * A pack may bring its own copy of this package, and then its `NonRetryable` is another class than the platform's. So
 * each error carries its kind under a symbol that all copies share, and is told by it, never by `instanceof`.
 */

const KIND = Symbol.for('nightshift-tasks.error')

type Kind = 'NonRetryable' | 'NotBefore' | 'Aborted'

/** Ends the task as FAILED at once: repeating it cannot help. */
export class NonRetryable extends Error {
  override name = 'NonRetryable'
  readonly [KIND]: Kind = 'NonRetryable'
}

/** Fails this attempt and asks that the next one does not begin before a moment (as HTTP's `Retry-After` does). */
export class NotBefore extends Error {
  override name = 'NotBefore'
  readonly [KIND]: Kind = 'NotBefore'
  /** Counted from the end of the attempt. */
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
  readonly [KIND]: Kind = 'Aborted'
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

/** Tells whether something thrown is a `NonRetryable` of any copy of this package. Never throws. */
export function isNonRetryable(thrown: unknown): thrown is NonRetryable {
  return kindOf(thrown) === 'NonRetryable'
}

/** Tells whether something thrown is a `NotBefore` of any copy of this package. Never throws. */
export function isNotBefore(thrown: unknown): thrown is NotBefore {
  return kindOf(thrown) === 'NotBefore'
}

/** Tells whether something thrown, or the reason of a signal, is an `Aborted` of any copy of this package. Never throws. */
export function isAborted(thrown: unknown): thrown is Aborted {
  return kindOf(thrown) === 'Aborted'
}

function kindOf(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  try {
    return (thrown as { [KIND]?: unknown })[KIND]
  } catch {
    // A handler may throw anything, also an object that answers no question.
    return undefined
  }
}
