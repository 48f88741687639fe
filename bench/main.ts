// `make bench`: measures Nightshift and its peers in turn, round by round, and writes what was found.
// A run that fails is told and left out; the others go on. Leaves nothing running.
import { rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { own } from '../scripts/servers/ownership.ts'
import { bringPeers } from './install.ts'
import { describeCode, describeMachine, type Machine } from './machine.ts'
import type { Setting } from './measures/measure.ts'
import { MEASURE_BY_NAME } from './measures/measures.ts'
import { MEASURES, type MeasureName } from './measures/names.ts'
import { HELP, type Options, readOptions } from './options.ts'
import { PEERS_FOLDER } from './peers/peer.ts'
import { tableOf } from './report.ts'
import { type Disk, type Results, type Run, readResults, writeResults } from './results.ts'
import { createServers } from './servers.ts'
import { slowDisk } from './slow-disk.ts'
import type { SystemName } from './systems/names.ts'
import { STATEMENT_SETTINGS } from './systems/statements.ts'
import { createSystem } from './systems/systems.ts'

const log = (line: string): void => console.log(line)

try {
  const options = readOptions(process.argv.slice(2))
  process.exitCode = options ? await bench(options) : help()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
process.exit()

function help(): number {
  log(HELP)
  return 0
}

async function bench(options: Options): Promise<number> {
  const systems = await bringPeers(options.systems, log)
  const machine = describeMachine()
  printMachine(machine)
  const folder = join(PEERS_FOLDER, `servers-${process.pid}`)
  // Registered first, so it runs when the servers have been ended.
  own(() => undefined)
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const postgresSettings = options.profileFolder === undefined ? {} : STATEMENT_SETTINGS
  const servers = createServers({ folder, log, postgresSettings, env: slowDisk(options.fsyncMs) })
  const disk = options.fsyncMs > 0 ? 'slowDisk' : 'asIs'
  const failures: string[] = []
  try {
    const setting: Setting = { servers, isQuick: options.isQuick }
    const kept = options.keepsOthers ? (readResults(disk)?.runs ?? []) : []
    const runs: Run[] = kept.filter((run) => !options.measures.includes(run.measure))
    for (const measure of options.measures) {
      log(`\n${measure}: ${MEASURES[measure]}`)
      for (let round = 1; round <= options.rounds; round++) {
        for (const system of MEASURE_BY_NAME[measure].systems.filter((name) => systems.includes(name))) {
          const run = await runOne({ measure, system, round, setting, options })
          if (typeof run === 'string') failures.push(run)
          else runs.push(run)
        }
      }
      if (!options.isQuick) write(disk, { measuredAt: new Date().toISOString(), machine, runs })
    }
    if (options.isQuick) log(`\n${tableOf({ measuredAt: new Date().toISOString(), machine, runs })}`)
  } finally {
    await servers.stop()
  }
  for (const failure of failures) log(`FAILED ${failure}`)
  return failures.length === 0 ? 0 : 1
}

interface One {
  readonly measure: MeasureName
  readonly system: SystemName
  readonly round: number
  readonly setting: Setting
  readonly options: Options
}

/** @returns the run, or why there is none */
async function runOne({ measure, system, round, setting, options }: One): Promise<Run | string> {
  const load = Number((loadavg()[0] ?? 0).toFixed(2))
  const at = new Date().toISOString()
  try {
    const figures = await MEASURE_BY_NAME[measure].run(createSystem(system, options.profileFolder), setting)
    const told = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    log(`  ${round} ${system.padEnd(16)} ${told.join('  ')}`)
    return { measure, system, round, at, code: describeCode(), load, figures }
  } catch (error) {
    const failure = `${measure}, round ${round}, ${system}: ${(error as Error).message}`
    log(`  ${failure}`)
    return failure
  }
}

function write(disk: Disk, results: Results): void {
  writeResults(disk, results, tableOf(results))
  log(`  written to bench/results${disk === 'asIs' ? '; "make docs" shows it in the README' : ''}`)
}

function printMachine({ cores, cpu, memoryGiB, loadAtBegin, versions }: Machine): void {
  log(`${cores} cores (${cpu}), ${memoryGiB} GiB, load ${loadAtBegin}`)
  log(
    Object.entries(versions)
      .map((pair) => pair.join(' '))
      .join(', '),
  )
  if (loadAtBegin > 1.5) log('NOTE: something else is running on this machine, so figures will be off')
}
