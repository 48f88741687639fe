// `make bench-growth`: is Nightshift as fast when much is stored? The accept rate with millions of finished tasks and the
// drain rate with many waiting, each beside that of the empty system, and the memory of every process.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { own } from '../../scripts/servers/ownership.ts'
import { bringPeers } from '../install.ts'
import { describeCode, describeMachine } from '../machine.ts'
import { PEERS_FOLDER } from '../peers/peer.ts'
import { createServers } from '../servers.ts'
import { fillFinished } from './fill.ts'
import { type Growth, measureGrowth } from './measure.ts'

const HELP = `Usage: node bench/growth/main.ts [options]

  Measures Nightshift empty and grown, on this machine, and writes bench/results/growth.md.

  --finished N     finished tasks stored (default 10000000; about 1.5 KB of disk and 60 µs each)
  --waiting N      tasks waiting in the queue (default 1000000; they are accepted over HTTP)
  --rounds N       rounds of the accept rate (default 3)`

const log = (line: string): void => console.log(line)
const RESULT = fileURLToPath(new URL('../results/growth.md', import.meta.url))

try {
  process.exitCode = await run()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
process.exit()

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      finished: { type: 'string', default: '10000000' },
      waiting: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '3' },
    },
  })
  if (values.help) {
    log(HELP)
    return 0
  }
  const [finished, waiting, rounds] = [
    wholeNumber('--finished', values.finished),
    wholeNumber('--waiting', values.waiting),
    wholeNumber('--rounds', values.rounds),
  ]
  await bringPeers(['nightshift'], log)
  const machine = describeMachine()
  const folder = join(PEERS_FOLDER, `servers-${process.pid}`)
  own(() => undefined)
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(folder, { recursive: true })
  const servers = createServers({ folder, log, postgresSettings: { max_wal_size: '4GB' } })
  try {
    const empty = await measureGrowth({ servers, waiting: 0, rounds, log, fill: async () => undefined })
    const grown = await measureGrowth({
      servers,
      waiting,
      rounds,
      log,
      fill: (url) => fillFinished(url, finished, log),
    })
    const head = `Measured ${new Date().toISOString().slice(0, 10)} on ${machine.cores} cores (${machine.cpu}), code ${describeCode()}.`
    const text = `${head}\n\n${tableOf(empty, grown, finished, waiting)}\n`
    writeFileSync(RESULT, text)
    log(`\n${text}`)
    return 0
  } finally {
    await servers.stop()
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} must be a whole number from 1, not ${text}`)
  return value
}

function tableOf(empty: Growth, grown: Growth, finished: number, waiting: number): string {
  const ratio = (over: number, under: number): string => (over / under).toFixed(2)
  const memory = (name: string): string =>
    `| memory of ${name}, MiB | ${empty.memoryMiB[name] ?? ''} | ${grown.memoryMiB[name] ?? ''} | |`
  return [
    '| | empty | grown | ratio |',
    '|---|---|---|---|',
    `| accepted/s, with ${finished} finished tasks stored | ${Math.round(empty.acceptedPerS)} | ${Math.round(grown.acceptedPerS)} | ${ratio(grown.acceptedPerS, empty.acceptedPerS)} |`,
    `| drained/s, with ${waiting} tasks waiting | ${Math.round(empty.drainedPerS)} | ${Math.round(grown.drainedPerS)} | ${ratio(grown.drainedPerS, empty.drainedPerS)} |`,
    ...Object.keys(grown.memoryMiB).map(memory),
  ].join('\n')
}
