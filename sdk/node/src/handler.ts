/** What a handler is given and may give back. */
import type { z } from 'zod'
import type { Contract } from './contract.ts'

/** The part of a database connection that a handler sees. */
export interface Tx {
  query<Row = Record<string, unknown>>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>
}

/** Writes lines to the consumer's log, each with the ids of the task. */
export interface TaskLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What a handler may know of its task beside the payload. */
export interface TaskInHand {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** Which execution this is, from 1; it only rises. */
  readonly attempt: number
  /** How many attempts have failed before. */
  readonly failures: number
  readonly client: string
  readonly requestId: string
  readonly userId: string | null
  readonly traceparent: string
}

/** What a handler is called with. */
export interface HandlerContext<Payload> {
  readonly payload: Payload
  readonly task: TaskInHand
  /** Aborts at the deadline, on cancel, when the grace period of a drain ends, and when the lease is lost. */
  readonly signal: AbortSignal
  readonly log: TaskLog
  /** The same for every attempt of this task: pass it to services outside this database to deduplicate by. */
  readonly idempotencyKey: string
  /** Publishes how far the work is; the newest value wins, written at most once a second. */
  progress(value: { percent?: number; message?: string }): void
  /**
   * Runs `work` in one transaction together with the task's SUCCESS: what it writes, what it returns (the result) and
   * the end of the task commit together, or none of it does. Once per attempt; nothing later in the handler changes
   * the outcome. `work` may run again after a deadlock or serialization failure, so it must do nothing but `tx`.
   *
   * @throws NonRetryable when the contract says `effects: 'none'`; Aborted when the attempt is no longer this consumer's;
   *   and whatever `work` throws
   */
  tx<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}

/** The function that does the work of a task type. */
export type Handle<Schema extends z.ZodType> = (context: HandlerContext<z.output<Schema>>) => unknown

/** A contract with the function that does its work. */
export interface Handler {
  readonly contract: Contract
  readonly handle: (context: HandlerContext<unknown>) => unknown
}

/** Joins a contract and the function that does its work. Return a value (the result), or throw to fail the attempt. */
export function handlerOf<Schema extends z.ZodType>(contract: Contract<Schema>, handle: Handle<Schema>): Handler {
  return {
    contract: contract as unknown as Contract,
    handle: (context) => handle(context as HandlerContext<z.output<Schema>>),
  }
}
