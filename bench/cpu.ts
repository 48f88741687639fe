// What processes have cost: user and system time of whole process trees, from /proc (Linux only).
import { readFileSync } from 'node:fs'
import { childrenOf } from '../scripts/servers/process-table.ts'

/** USER_HZ, the unit of times in /proc; 100 on every Linux of today. */
const TICKS_PER_SECOND = 100

/** Processes by what they are: `front`, `worker`, and the servers by name. */
export type Processes = Readonly<Record<string, readonly number[]>>

/** Notes what each has cost so far. */
export function cpuNow(processes: Processes): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(processes).map(([name, pids]) => [name, cpuSecondsOf(pids)]))
}

/** CPU seconds per 1 000 tasks since then: of all together, and of each (`cpu_front`, `cpu_postgres`, …). */
export function cpuSince(
  before: Readonly<Record<string, number>>,
  processes: Processes,
  tasks: number,
): Readonly<Record<string, number>> {
  const used = Object.entries(cpuNow(processes)).map(
    ([name, seconds]) => [name, ((seconds - (before[name] ?? 0)) / tasks) * 1_000] as const,
  )
  return {
    cpu_s_per_1000: used.reduce((sum, [, seconds]) => sum + seconds, 0),
    ...Object.fromEntries(used.map(([name, seconds]) => [`cpu_${name}`, seconds])),
  }
}

/**
 * Sums the CPU seconds of these processes and all they started, those that ended meanwhile included.
 * The difference of two calls is what was used in between, to some hundredths of a second.
 */
function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS_PER_SECOND
}

function ticksOf(pid: number): number {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5). The last two are of children already waited for.
    const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
    return childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), own)
  } catch {
    return 0
  }
}
