/** How a client stands with a queue, and whether one more of its tasks is admitted. */

/** What stands in the answer of a request that was admitted or refused. */
export interface Standing {
  readonly queue: string
  /** Tasks that wait, or undefined when it is not known. */
  readonly backlog: number | undefined
  /** The mark from which on every client above its share is refused. */
  readonly limit: number
  /** The client's own share, tasks per second at this gateway. */
  readonly sharePerSecond: number
  /** How many more the client may send at once. */
  readonly left: number
  /** When a task accepted now will start, or undefined when there is no basis for saying. */
  readonly startsInSeconds: number | undefined
}

/** `retryAfterSeconds` is whole seconds, 1 or more. */
export type Admitted =
  | { readonly isAdmitted: true; readonly standing: Standing }
  | { readonly isAdmitted: false; readonly standing: Standing; readonly retryAfterSeconds: number }
