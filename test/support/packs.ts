// The packs of this repository, loaded as a process loads them.
import type { Contract } from 'nightshift-tasks'
import type { Contracts } from '../../src/core/task-types.ts'
import { loadPacks } from '../../src/types/packs.ts'

export const PACKS = await loadPacks(['conversation', 'trial'])

/** Puts task types of a test in place of the packs'. */
export function contractsOf(all: readonly Contract[]): Contracts {
  return new Map(all.map((contract) => [contract.name, contract]))
}
