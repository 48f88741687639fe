// Runs a few lines of JavaScript in a process of their own, for what a test cannot do to the process it runs in.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Exit } from './processes.ts'
import { until } from './until.ts'

export interface Inline {
  /** All it has printed so far, standard error included. */
  readonly printed: () => string
  /** Waits until it has printed this. */
  says(text: string): Promise<unknown>
  kill(signal: NodeJS.Signals): void
  /** Writes to its standard input. */
  type(text: string): void
  readonly exit: Promise<Exit>
}

/**
 * Starts a module; its imports are relative to the repository. What still runs is killed when the test ends.
 * @param whenFinished of a test that runs beside others its own, or the end of another kills the process
 */
export function startInline(code: string, whenFinished: typeof onTestFinished = onTestFinished): Inline {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = spawn(process.execPath, ['--eval', code], { cwd })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      text += bytes
    })
  }
  const exit = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit)
  whenFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return {
    printed: () => text,
    says: (what) => until(`the process to say "${what}", not only: ${text}`, () => text.includes(what)),
    kill: (signal) => void child.kill(signal),
    type: (what) => void child.stdin.write(what),
    exit,
  }
}
