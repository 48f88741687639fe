// Starts the processes that are measured, and talks with them. They end with this one, whatever happens.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from '../scripts/demo/platform.ts'
import { own } from '../scripts/servers/ownership.ts'

export interface Part {
  readonly pid: number
  /** What it said when it was ready. */
  readonly ready: { readonly port?: number }
  /** Sends a message and resolves with the answer of this kind. */
  ask<Answer>(message: string | object, kind: 'report' | 'done', withinMs?: number): Promise<Answer>
  stop(): Promise<void>
}

export interface PartOptions {
  readonly name: string
  readonly script: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
  /** Resolves when it takes work; without it, the process says so itself. */
  readonly until?: () => Promise<boolean>
}

export const LOGS = join(ROOT, '.nightshift/bench/logs')
const READY_WITHIN_MS = 30_000
const STOPPED_WITHIN_MS = 15_000

/** Starts a process and waits until it is ready. Rejects with the end of its log when it does not come up. */
export async function startPart({ name, script, args, env, execArgv = [], until }: PartOptions): Promise<Part> {
  mkdirSync(LOGS, { recursive: true })
  const logFile = join(LOGS, `${name}.log`)
  const log = openSync(logFile, 'w')
  const child = fork(script, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', ...env },
    execArgv: [...execArgv],
    stdio: ['ignore', log, log, 'ipc'],
    serialization: 'advanced',
  })
  closeSync(log)
  const release = own(() => child.kill('SIGKILL'))
  child.once('exit', release)
  const failed = (why: string): Error => new Error(`${name} ${why}:\n${readFileSync(logFile, 'utf8').slice(-3_000)}`)

  const gone = once(child, 'exit').then(() => Promise.reject(failed('ended while it was needed')))
  gone.catch(() => undefined)

  async function ask<Answer>(message: string | object | undefined, kind: string, withinMs = 60_000): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => {
      const listen = (answered: Record<string, Answer>): void => {
        if (!(kind in answered)) return
        child.off('message', listen as (message: unknown) => void)
        resolve(answered[kind] as Answer)
      }
      child.on('message', listen as (message: unknown) => void)
    })
    if (message !== undefined) child.send(message)
    const late = sleep(withinMs, undefined, { ref: false }).then(() => Promise.reject(failed('does not answer')))
    return Promise.race([answer, gone, late])
  }

  async function readyBy(check: () => Promise<boolean>): Promise<{ port?: number }> {
    const deadline = performance.now() + READY_WITHIN_MS
    while (!(await check())) {
      if (child.exitCode !== null) throw failed('ended while starting')
      if (performance.now() > deadline) throw failed('is not ready')
      await sleep(20)
    }
    return {}
  }

  try {
    const ready = until ? await readyBy(until) : await ask<{ port?: number }>(undefined, 'ready', READY_WITHIN_MS)
    return { pid: child.pid as number, ready, ask, stop: () => stop(child) }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const slow = sleep(STOPPED_WITHIN_MS, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
  await Promise.race([exit, slow])
  await exit
}
