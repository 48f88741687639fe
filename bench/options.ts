// Reads the command line of the benchmark.
import { parseArgs } from 'node:util'
import { MEASURES, type MeasureName } from './measures/names.ts'
import { SYSTEM_NAMES, type SystemName } from './systems/names.ts'

export interface Options {
  readonly rounds: number
  readonly systems: readonly SystemName[]
  readonly measures: readonly MeasureName[]
  /** Makes every measure short: to see that all works, not to learn figures. */
  readonly isQuick: boolean
  /** Where the profiles of the api and the consumer are written; absent: none are taken. */
  readonly profileFolder: string | undefined
  /** Milliseconds that every fsync of every server takes longer. */
  readonly fsyncMs: number
  /** Adds to the results of the last run, instead of beginning anew. */
  readonly keepsOthers: boolean
}

const ALL = Object.keys(SYSTEM_NAMES) as SystemName[]

const lines = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, says]) => `    ${name.padEnd(18)} ${says}`)
    .join('\n')

export const HELP = `Usage: node bench/main.ts [options]

  Measures Nightshift and its peers in turn, in interleaved rounds, on this machine.
  Writes bench/results/latest.json and bench/results/table.md; "make docs" shows it in the README.

  --rounds N       rounds of each measure, 1-20; the table shows medians (default 3)
  --only a,b       only these systems (nightshift and all peers by default)
  --measures a,b   only these measures
  --keep           leave the other measures of bench/results/latest.json as they are
  --fsync-ms N     every fsync of every server takes N ms longer (0-100); results go to slow-disk.json and .md
  --quick          a second or so each: shows that all works, the figures mean nothing
  --profile DIR    also write CPU profiles of the api and the consumer there (slows them down)

  Systems:
${lines(SYSTEM_NAMES)}

  Measures:
${lines(MEASURES)}`

/** @returns undefined when help is asked for @throws Error that says what does not fit */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      measures: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'fsync-ms': { type: 'string', default: '0' },
      keep: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  })
  if (values.help) return undefined
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) throw new Error('--rounds must be from 1 to 20')
  const fsyncMs = Number(values['fsync-ms'])
  if (!(fsyncMs >= 0 && fsyncMs <= 100)) throw new Error('--fsync-ms must be from 0 to 100')
  return {
    rounds,
    fsyncMs,
    systems: chosen('--only', values.only, ALL),
    measures: chosen('--measures', values.measures, Object.keys(MEASURES) as MeasureName[]),
    isQuick: values.quick,
    profileFolder: values.profile,
    keepsOthers: values.keep,
  }
}

/** Takes names in the order of `all`, whatever order they were given in. */
function chosen<Name extends string>(option: string, text: string | undefined, all: readonly Name[]): Name[] {
  if (text === undefined) return [...all]
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !all.includes(name as Name))
  if (unknown.length > 0) throw new Error(`${option}: ${unknown.join(', ')} is not one of ${all.join(', ')}`)
  return all.filter((name) => names.includes(name))
}
