/** The task types of a deployment as every station sees them: contracts and handlers by name, and where packs keep tables. */
import type { Contract, Handler } from 'nightshift-tasks'

export type Contracts = ReadonlyMap<string, Contract>
export type Handlers = ReadonlyMap<string, Handler>

/** Where a pack keeps its tables, and the files that make them. */
export interface PackSchema {
  /** A schema of PostgreSQL. */
  readonly name: string
  /** The path of the folder with the numbered SQL files. */
  readonly folder: string
}

/** Names the task types whose idempotency key is made from their payload. */
export function keyedTasksOf(contracts: Contracts): string[] {
  return [...contracts.values()].filter(({ idempotencyKey }) => idempotencyKey !== undefined).map(({ name }) => name)
}
