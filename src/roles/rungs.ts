/** Which rungs and queues there are: those of the settings, and those that contracts name. */
import type { Contracts } from '../core/task-types.ts'

/** The rungs that must exist on the broker. */
export function rungsOf(contracts: Contracts, ladderMs: readonly number[]): number[] {
  const own = [...contracts.values()].flatMap((contract) => contract.ladderMs ?? [])
  return [...new Set([...ladderMs, ...own])].sort((a, b) => a - b)
}

const USUAL_SLOTS = 20

/** How many tasks of each queue one consumer runs in parallel. @param configured the setting NIGHTSHIFT_QUEUES */
export function slotsOf(
  contracts: Contracts,
  configured: ReadonlyMap<string, number> | undefined,
): ReadonlyMap<string, number> {
  return configured ?? new Map([...contracts.values()].map(({ queue }) => [queue, USUAL_SLOTS]))
}

/** The queues that tasks may name: those this deployment works on, and those of the contracts. */
export function queuesOf(contracts: Contracts, slots: ReadonlyMap<string, number>): string[] {
  return [...new Set([...slots.keys(), ...[...contracts.values()].map(({ queue }) => queue)])].sort()
}
