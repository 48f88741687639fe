// One system, empty or grown: its accept rate, its drain rate, and how much memory each process holds at the end.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf } from '../../scripts/servers/process-table.ts'
import { nowMs } from '../clock.ts'
import { closedLoad } from '../load/wrk.ts'
import type { Servers } from '../servers.ts'
import { median } from '../statistics.ts'
import { openSession } from '../systems/nightshift.ts'
import type { Session } from '../systems/system.ts'

export interface Growth {
  readonly acceptedPerS: number
  readonly drainedPerS: number
  /** Resident memory of each kind of process, its children included; shared pages of PostgreSQL count in each. */
  readonly memoryMiB: Readonly<Record<string, number>>
}

export interface GrowthOptions {
  readonly servers: Servers
  readonly waiting: number
  readonly rounds: number
  readonly log: (line: string) => void
  /** Stores what shall be there before anything is measured. */
  readonly fill: (databaseUrl: string) => Promise<void>
}

/** So many are drained to measure the rate; they wait in front of all others or, in the empty system, alone. */
const DRAINED = 60_000
const ACCEPT_SECONDS = 5

export async function measureGrowth({ servers, waiting, rounds, log, fill }: GrowthOptions): Promise<Growth> {
  const session = await openSession(servers, undefined)
  try {
    await fill(session.databaseUrl)
    const target = await session.startFront()
    await closedLoad({ target, inFlight: 64, seconds: 2 })
    const rates: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const { answered, refused } = await closedLoad({ target, inFlight: 64, seconds: ACCEPT_SECONDS })
      if (refused > 0) throw new Error(`${refused} requests were refused`)
      rates.push(answered / ACCEPT_SECONDS)
      log(`  accepted ${Math.round(answered / ACCEPT_SECONDS)}/s`)
    }
    const missing = Math.max(waiting, DRAINED) - (await session.left())
    if (missing > 0) await session.bulk(missing)
    await session.settled()
    log(`  ${await session.left()} tasks wait`)

    await session.startWorker('backlog')
    const drainedPerS = await drainRate(session)
    log(`  drained ${Math.round(drainedPerS)}/s`)
    return { acceptedPerS: median(rates), drainedPerS, memoryMiB: memoryOf(session.processes()) }
  } finally {
    await session.close()
  }
}

/** By the handlers begun: counting what is left would be work for the server that is measured. */
async function drainRate(session: Session): Promise<number> {
  for (;;) {
    const { handled, firstStartAt } = await session.notes()
    if (handled >= DRAINED * 0.9) return (handled / (nowMs() - firstStartAt)) * 1_000
    await sleep(100)
  }
}

function memoryOf(processes: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(processes).map(([name, pids]) => [name, Math.round(pids.reduce(sum, 0))]))
}

function sum(total: number, pid: number): number {
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  return childrenOf(pid).reduce(sum, total + kib / 1_024)
}
