/** Which rungs must exist on the broker: those of the setting, and those that contracts name for themselves. */
import type { Contracts } from 'nightshift-tasks'

export function rungsOf(contracts: Contracts, ladderMs: readonly number[]): number[] {
  const own = [...contracts.values()].flatMap((contract) => contract.ladderMs ?? [])
  return [...new Set([...ladderMs, ...own])].sort((a, b) => a - b)
}

/** The queues that tasks may name: those this deployment works on, and those of the contracts. */
export function queuesOf(contracts: Contracts, configured: ReadonlyMap<string, number>): string[] {
  return [...new Set([...configured.keys(), ...[...contracts.values()].map(({ queue }) => queue)])].sort()
}
