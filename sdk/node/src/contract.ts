/**
 * A task type is a contract and a handler. The contract (name, schema, policy) is what a client, the api and the
 * consumer agree on; the handler is loaded by consumers only.
 */
import type { z } from 'zod'
import { parseDuration, parseLadder } from './duration.ts'

/** What `defineTask` is given. */
export interface ContractInput<Schema extends z.ZodType> {
  /** `domain.event` or `domain.verb-noun`, lower case; never reused for another payload. */
  readonly name: string
  /** One sentence for the API's documentation. */
  readonly summary: string
  readonly payload: Schema
  /** The work queue: 1-64 of `a-z 0-9 -`. */
  readonly queue: string
  /** The waits before each retry, such as `['1s', '2s', '4s']`; without it, the setting RETRY_LADDER. */
  readonly ladder?: readonly string[]
  /** How long one attempt may take before it ends as failed, such as `30s`; default 5m. */
  readonly deadline?: string
  /** What the handler changes: `database` only through its transaction, `external` elsewhere too, or `none`: no `tx` then. */
  readonly effects: 'none' | 'database' | 'external'
  /** Derives an idempotency key from the payload; it stands beside the `Idempotency-Key` that the client may send. */
  readonly idempotencyKey?: (payload: z.output<Schema>) => string
  /** Names the user whose task it is, for `my-tasks`; used when the client sends no `userId`. */
  readonly userId?: (payload: z.output<Schema>) => string
}

/** A task type that `defineTask` has checked. */
export interface Contract<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly summary: string
  readonly payload: Schema
  readonly queue: string
  /** Waits in milliseconds, or undefined for the setting RETRY_LADDER. */
  readonly ladderMs: readonly number[] | undefined
  readonly deadlineMs: number
  readonly effects: 'none' | 'database' | 'external'
  readonly idempotencyKey: ((payload: z.output<Schema>) => string) | undefined
  readonly userId: ((payload: z.output<Schema>) => string) | undefined
}

/** Matches the name of a work queue. */
export const QUEUE_PATTERN = /^[a-z0-9][a-z0-9-]{0,63}$/
const NAME_PATTERN = /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+){0,7}$/

/**
 * Declares a task type.
 *
 * @example
 * defineTask({ name: 'mail.send', summary: 'Sends a mail.', payload: z.strictObject({ to: z.email() }), queue: 'mail',
 *   ladder: ['10s', '1m'], deadline: '20s', effects: 'external' })
 * @throws RangeError naming the contract and the field that is out of bounds
 */
export function defineTask<Schema extends z.ZodType>(input: ContractInput<Schema>): Contract<Schema> {
  const refuse = (what: string): never => {
    throw new RangeError(`task "${input.name}": ${what}`)
  }
  if (!NAME_PATTERN.test(input.name) || input.name.length > 100) {
    refuse('the name must be lower-case words joined by dots or dashes, at most 100 characters')
  }
  if (!QUEUE_PATTERN.test(input.queue)) refuse('the queue must be 1-64 characters of a-z, 0-9 and -')
  const read = <Value>(parse: () => Value): Value => {
    try {
      return parse()
    } catch (error) {
      return refuse((error as RangeError).message)
    }
  }
  const { ladder, deadline = '5m' } = input
  const ladderMs = ladder && read(() => parseLadder(ladder))
  const deadlineMs = read(() => parseDuration(deadline))
  if (deadlineMs < 100 || deadlineMs > 20 * 60_000) refuse('the deadline must be from 100ms to 20m')
  return {
    name: input.name,
    summary: input.summary,
    payload: input.payload,
    queue: input.queue,
    ladderMs,
    deadlineMs,
    effects: input.effects,
    idempotencyKey: input.idempotencyKey,
    userId: input.userId,
  }
}
