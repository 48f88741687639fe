/**
 * A task type is a contract and a handler. The contract (name, schema, policy) is what a client, the api and the
 * consumer agree on; the handler is loaded by consumers only.
 */
import type { z } from 'zod'
import { parseDuration } from './duration.ts'

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
  /** What the handler changes: `database` only through its transaction, `external` elsewhere too, or `none`. */
  readonly effects: 'none' | 'database' | 'external'
  /** Derives an idempotency key from the payload; used when the client sends no `Idempotency-Key`. */
  readonly idempotencyKey?: (payload: z.output<Schema>) => string
  /** Names the user whose task it is, for `my-tasks`; used when the client sends no `userId`. */
  readonly userId?: (payload: z.output<Schema>) => string
}

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

export const QUEUE_PATTERN = /^[a-z0-9][a-z0-9-]{0,63}$/
const NAME_PATTERN = /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+){0,7}$/

/**
 * Declares a task type.
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
  const ladderMs = input.ladder?.map(parseDuration)
  if (ladderMs) checkLadder(ladderMs, refuse)
  const deadlineMs = parseDuration(input.deadline ?? '5m')
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

/** Refuses a ladder that a broker queue per rung cannot carry: 0-16 rungs of 100 ms to 24 h. */
export function checkLadder(ladderMs: readonly number[], refuse: (what: string) => never): void {
  if (ladderMs.length > 16) refuse('the ladder has more than 16 rungs')
  for (const rung of ladderMs) if (rung < 100 || rung > 86_400_000) refuse('each rung must be from 100ms to 24h')
}

export type Contracts = ReadonlyMap<string, Contract>

/**
 * Collects contracts by name.
 * @throws RangeError when two have the same name
 */
export function contractsOf(all: readonly Contract[]): Contracts {
  const byName = new Map<string, Contract>()
  for (const contract of all) {
    if (byName.has(contract.name)) throw new RangeError(`task "${contract.name}" is defined twice`)
    byName.set(contract.name, contract)
  }
  return byName
}
