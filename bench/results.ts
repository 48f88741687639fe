// What was measured, as it is kept in bench/results/latest.json.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machine } from './machine.ts'
import type { Figures } from './measures/measure.ts'
import type { MeasureName } from './measures/names.ts'
import { median } from './statistics.ts'
import type { SystemName } from './systems/names.ts'

export interface Run {
  readonly measure: MeasureName
  readonly system: SystemName
  /** From 1; the runs of one round stand beside each other in time. */
  readonly round: number
  readonly at: string
  /** The commit that was measured; `-dirty` when it was changed. Results of different code must not be mixed unseen. */
  readonly code?: string
  /** One-minute load just before. */
  readonly load: number
  readonly figures: Figures
}

export interface Results {
  readonly measuredAt: string
  readonly machine: Machine
  readonly runs: readonly Run[]
}

const FOLDER = fileURLToPath(new URL('results', import.meta.url))

/** Where results are kept: those of disks as they are, and of disks made slower. */
const FILES = {
  asIs: { json: `${FOLDER}/latest.json`, table: `${FOLDER}/table.md` },
  slowDisk: { json: `${FOLDER}/slow-disk.json`, table: `${FOLDER}/slow-disk.md` },
}
export type Disk = keyof typeof FILES

/** Reads the results of the last run; undefined when there are none. */
export function readResults(disk: Disk): Results | undefined {
  const { json } = FILES[disk]
  return existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as Results) : undefined
}

export function writeResults(disk: Disk, results: Results, table: string): void {
  mkdirSync(FOLDER, { recursive: true })
  const runs = results.runs.map((run) => `    ${JSON.stringify(run)}`).join(',\n')
  const head = JSON.stringify({ measuredAt: results.measuredAt, machine: results.machine }, null, 2).replace(
    /\n\}$/,
    '',
  )
  writeFileSync(FILES[disk].json, `${head},\n  "runs": [\n${runs}\n  ]\n}\n`)
  writeFileSync(FILES[disk].table, table)
}

/** The values of one figure, by round. */
export function valuesOf(
  { runs }: Pick<Results, 'runs'>,
  measure: MeasureName,
  system: SystemName,
  figure: string,
): Map<number, number> {
  const own = runs.filter((run) => run.measure === measure && run.system === system)
  const pairs = own.map((run) => [run.round, run.figures[figure]] as const)
  return new Map(pairs.filter((pair): pair is readonly [number, number] => pair[1] !== undefined))
}

export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Divides the values of two systems round by round; undefined when no round has both. */
export function ratioOf(over: ReadonlyMap<number, number>, under: ReadonlyMap<number, number>): Ratio | undefined {
  const ratios = [...over].flatMap(([round, value]) => {
    const other = under.get(round)
    return other === undefined ? [] : [value / other]
  })
  if (ratios.length === 0) return undefined
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}
