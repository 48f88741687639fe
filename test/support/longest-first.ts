// Begins with the files that took longest last time, so that the runs side by side end at about the same moment.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const DURATIONS = fileURLToPath(new URL('../durations.json', import.meta.url))
/** Seconds that a file is taken to need of which nothing is known. */
const UNKNOWN = 20

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = JSON.parse(readFileSync(DURATIONS, 'utf8')) as Record<string, number>
    const lengthOf = ({ moduleId }: TestSpecification): number => seconds[relative(ROOT, moduleId)] ?? UNKNOWN
    const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder
    return files.toSorted((a, b) => groupOf(a) - groupOf(b) || lengthOf(b) - lengthOf(a))
  }
}
