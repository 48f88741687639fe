// Runs Nightshift as its users do: `node src/main.ts <role>`, seen only through its log, its ports and its exit.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import { own } from '../../scripts/servers/ownership.ts'
import { until } from './until.ts'

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningProcess {
  readonly pid: number
  /** What it logged so far, growing. */
  readonly log: readonly LogLine[]
  /** What it printed that is no log line, standard error included. */
  readonly output: readonly string[]
  /** Resolves with the line `<role> ready`, which may have httpPort and metricsPort. Rejects when it exits before. */
  readonly ready: Promise<LogLine>
  /** Resolves with the first line, past or to come, for which `predicate` holds. */
  waitForLog(predicate: (line: LogLine) => boolean, options?: { withinMs?: number }): Promise<LogLine>
  /** Sends a signal, SIGTERM unless told. */
  kill(signal?: NodeJS.Signals): void
  readonly exit: Promise<Exit>
}

export interface ProcessOptions {
  /** Arguments after the role. */
  readonly args?: readonly string[]
  /** Options of Node itself, such as --max-old-space-size=64. */
  readonly nodeArgs?: readonly string[]
  readonly readyWithinMs?: number
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const running = new Map<ChildProcess, string>()

/** Starts a role with exactly this environment, and PATH. Call `failOnLeftovers` in a file that uses it. */
export function startProcess(
  role: 'api' | 'consumer' | 'all',
  env: Readonly<Record<string, string>>,
  { args = [], nodeArgs = [], readyWithinMs = 20_000 }: ProcessOptions = {},
): RunningProcess {
  const child = spawn(process.execPath, [...nodeArgs, 'src/main.ts', role, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.set(child, `${role} (pid ${child.pid})`)
  child.once(
    'close',
    own(() => child.kill('SIGKILL')),
  )
  const log: LogLine[] = []
  const output: string[] = []
  readLines(child.stdout, (line) => {
    const parsed = parse(line)
    if (parsed) log.push(parsed)
    else output.push(line)
  })
  readLines(child.stderr, (line) => output.push(line))
  const exit = exitOf(child)

  async function waitForLog(predicate: (line: LogLine) => boolean, { withinMs = 20_000 } = {}): Promise<LogLine> {
    const [line] = await until(`a log line of ${role}`, () => found(predicate), { withinMs, everyMs: 20 })
    if (line) return line
    throw new Error(`${role} exited without the log line waited for; it said:\n${transcript()}`)
  }

  // [undefined] ends the wait early: a process that has exited will say nothing more.
  function found(predicate: (line: LogLine) => boolean): [LogLine | undefined] | false {
    const line = log.find(predicate)
    return (line !== undefined || !running.has(child)) && [line]
  }

  const transcript = () => [...log.map((line) => JSON.stringify(line)), ...output].slice(-25).join('\n')
  const ready = waitForLog((line) => line.msg === `${role} ready`, { withinMs: readyWithinMs })
  // A test may never look at it, for instance because the process is meant to fail.
  ready.catch(() => {})

  return { pid: child.pid as number, log, output, ready, waitForLog, exit, kill: (name) => void child.kill(name) }
}

/** Makes a test fail that leaves a process of `startProcess` running, after ending it. */
export function failOnLeftovers(): void {
  afterEach(async () => {
    const left = await leftovers()
    if (left.length > 0) throw new Error(`the test left running: ${left.join(', ')}`)
  })
}

/** Ends all processes of `startProcess` that still run, and returns what they were. */
export async function leftovers(): Promise<string[]> {
  const left = [...running]
  await Promise.all(left.map(([child]) => endNow(child)))
  return left.map(([, name]) => name)
}

async function endNow(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      running.delete(child)
      reject(error)
    })
    // 'close', not 'exit': by then its last words have been read.
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })
}

function readLines(stream: Readable, take: (line: string) => void): void {
  createInterface({ input: stream }).on('line', take)
}

function parse(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'msg' in value ? (value as LogLine) : undefined
  } catch {
    return undefined
  }
}
