// Runs Nightshift as its operators do: one process for each role of src/main.ts, seen through its log and its port.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startServerProcess } from '../servers/server-process.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = join(ROOT, 'src/main.ts')

export type Environment = Readonly<Record<string, string>>

export interface Role {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Where it listens, as its line `<role> ready` says. */
  readonly httpPort: number | undefined
  readonly metricsPort: number | undefined
  /** Asks it to drain, and waits for its end. */
  stop(): Promise<void>
}

export interface RoleOptions {
  readonly role: 'api' | 'consumer'
  /** What it is called here; its log is `<folder>/<name>.log`. */
  readonly name: string
  readonly folder: string
  readonly env: Environment
  /** Leaves it running when this process exits. */
  readonly outlive?: boolean
}

/** Starts a role and waits until it takes work. Rejects with the end of its log when it does not come up. */
export async function startRole({ role, name, folder, env, outlive }: RoleOptions): Promise<Role> {
  mkdirSync(folder, { recursive: true })
  const logFile = join(folder, `${name}.log`)
  // A log of an earlier run has an earlier port in it.
  rmSync(logFile, { force: true })
  const started = await startServerProcess({
    name,
    command: process.execPath,
    args: [MAIN, role],
    env: { PATH: process.env.PATH ?? '', ...env },
    logFile,
    cwd: ROOT,
    lastSignal: 'SIGKILL',
    outlive,
  })
  let ready: ReadyLine | undefined
  const isReady = async (): Promise<boolean> => {
    ready ??= readyLine(logFile, `${role} ready`)
    return ready !== undefined
  }
  try {
    await started.ready(isReady, 30_000)
  } catch (error) {
    await started.end('SIGKILL')
    throw error
  }
  const { httpPort, metricsPort } = ready ?? {}
  return { name, pid: started.pid, logFile, httpPort, metricsPort, stop: () => started.end('SIGTERM', 30_000) }
}

interface ReadyLine {
  readonly msg?: string
  readonly httpPort?: number
  readonly metricsPort?: number
}

function readyLine(logFile: string, phrase: string): ReadyLine | undefined {
  const line = readFileSync(logFile, 'utf8')
    .split('\n')
    .find((each) => each.includes(`"${phrase}"`) && each.endsWith('}'))
  return line === undefined ? undefined : (JSON.parse(line) as ReadyLine)
}

const run = promisify(execFile)

/**
 * Runs a command of src/main.ts to its end.
 * @returns what it printed on standard output, without the last line break
 * @throws Error with what it printed on standard error
 */
export async function runCommand(args: readonly string[], env: Environment): Promise<string> {
  try {
    const { stdout } = await run(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env },
    })
    return stdout.trimEnd()
  } catch (cause) {
    const { stderr = '', stdout = '' } = cause as { stderr?: string; stdout?: string }
    throw new Error(`\`nightshift ${args.join(' ')}\` failed:\n${stderr || stdout}`, { cause })
  }
}
