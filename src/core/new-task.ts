/** A task that is about to be accepted, and what the relay publishes of it once it is. */

export interface NewTask {
  /** A UUIDv7 by the database's clock. */
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly client: string
  readonly requestId: string
  readonly traceId: string
  readonly traceparent: string
  readonly tracestate: string | null
  readonly userId: string | null
  readonly tags: readonly string[] | null
  /** JSON text, as it was sent. */
  readonly payload: string
  readonly maxAttempts: number | null
  /** When it may start: a moment, or a wait from now, or neither for at once. */
  readonly runAt: string | null
  readonly delayMs: number | null
  readonly expiresAfterMs: number | null
  /** How many tasks waited in its queue when it was admitted, if that was known. */
  ahead: number | null
  /** What the client may repeat without a second task: key, and hash of the body it stands for. */
  readonly keys: readonly { readonly key: string; readonly hash: string }[]
}

/** An outbox row that this process committed a moment ago, claimed for its own relay. */
export interface FreshOutboxRow {
  readonly outboxId: string
  readonly task: NewTask
}
