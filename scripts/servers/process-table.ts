// Reads the table of running processes: who is alive, whose child is it, what was it started as.
// From /proc where there is one (slim images have no `ps`), else from `ps`.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

interface Row {
  readonly pid: number
  readonly parent: number
  readonly state: string
}

/** Lists the direct children of a process; zombies are left out. */
export function childrenOf(pid: number): number[] {
  const alive = rows().filter((row) => row.parent === pid && !row.state.startsWith('Z'))
  return alive.map((row) => row.pid)
}

/** Tells whether a process runs. A zombie (ended, not yet collected by its parent) does not. */
export function isAlive(pid: number): boolean {
  const row = existsSync('/proc/self/stat') ? rowFromProc(pid) : rows().find((each) => each.pid === pid)
  return row !== undefined && !row.state.startsWith('Z')
}

/** Returns the command line of a process, or '' when there is none: to be sure a noted pid is still who it was. */
export function commandOf(pid: number): string {
  try {
    if (existsSync('/proc/self/cmdline')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

/** Sends a signal; a process that is already gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
  }
}

/** Waits until a process is really gone. Returns false when it still runs after `withinMs`. */
export async function gone(pid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false
    await sleep(25)
  }
  return true
}

function rows(): Row[] {
  if (!existsSync('/proc/self/stat')) return rowsFromPs()
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => rowFromProc(Number(pid))).filter((row) => row !== undefined)
}

function rowFromProc(pid: number): Row | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the name in parentheses and may itself hold spaces and parentheses: proc(5).
    const [state = '', parent] = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(parent), state }
  } catch {
    return undefined
  }
}

function rowsFromPs(): Row[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n')
  return lines.map((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), state }
  })
}
