// Runs one server program: output into a file, readiness by a probe, an exit that is waited for.
// Detached, so that Ctrl-C in a terminal reaches only the owner, who then stops the servers in order.
import { type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { own } from './ownership.ts'
import { childrenOf, gone, signal } from './process-table.ts'

export interface Program {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
  readonly cwd: string
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** The signal that ends it at once when the owner exits. */
  readonly lastSignal: NodeJS.Signals
  /** Leaves it running when the owner exits. */
  readonly outlive?: boolean | undefined
}

export interface ServerProcess {
  readonly pid: number
  /** Sends `name` and waits until it and its helpers are gone; SIGKILL when that takes longer than `withinMs`. */
  end(name: NodeJS.Signals, withinMs?: number): Promise<void>
  /** Resolves when `probe` says true. Rejects with the end of the log when the program exits before, or is too slow. */
  ready(probe: () => Promise<boolean>, withinMs?: number): Promise<void>
}

/** Starts a program. Rejects when it cannot be started at all. */
export async function startServerProcess(program: Program): Promise<ServerProcess> {
  const output = openSync(program.logFile, 'a')
  const options: SpawnOptions = {
    cwd: program.cwd,
    env: program.env,
    detached: true,
    stdio: ['ignore', output, output],
    ...program.user,
  }
  const child = spawn(program.command, program.args, options)
  closeSync(output)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(new Error(`could not start ${program.name}: ${program.command}`, { cause })))
  })
  const pid = child.pid as number
  let hasExited = false
  const release = program.outlive ? () => {} : own(() => endNow(pid, program.lastSignal))
  child.once('exit', () => {
    hasExited = true
    release()
  })
  child.unref()

  return {
    pid,
    async end(name, withinMs = 30_000) {
      // Its helpers end a moment after it, by themselves.
      const helpers = hasExited ? [] : childrenOf(pid)
      if (!hasExited) endNow(pid, name)
      for (const one of [pid, ...helpers]) {
        if (await gone(one, withinMs)) continue
        signal(one, 'SIGKILL')
        if (!(await gone(one, 10_000))) throw new Error(`${program.name} (pid ${one}) does not end`)
      }
    },
    async ready(probe, withinMs = 60_000) {
      const deadline = performance.now() + withinMs
      while (!(await probe())) {
        if (hasExited) throw new Error(`${program.name} exited while starting:\n${endOf(program.logFile)}`)
        if (performance.now() > deadline) {
          throw new Error(`${program.name} was not ready within ${withinMs} ms:\n${endOf(program.logFile)}`)
        }
        await sleep(50)
      }
    },
  }
}

// A stopped (SIGSTOP) process takes no other signal than SIGKILL until it is continued.
function endNow(pid: number, name: NodeJS.Signals): void {
  signal(pid, name)
  signal(pid, 'SIGCONT')
}

function endOf(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-25).join('\n')
}
