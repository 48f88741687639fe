/** Does a step, waits, and does it again, until stopped. A step that throws is logged and repeated after the wait. */
import type { Log } from './log.ts'
import type { Service } from './service.ts'
import { pause } from './wait.ts'

export interface Loop extends Service {
  /** Begins the next step now, if the loop is waiting. */
  wake(): void
}

export interface LoopOptions {
  readonly name: string
  readonly everyMs: number
  readonly log: Log
  /** Returns true to be called again at once (there is more to do). */
  readonly step: (signal: AbortSignal) => Promise<boolean | undefined>
}

/** Makes a loop. Waits are jittered by a fifth, so that replicas started together do not step together. */
export function createLoop({ name, everyMs, log, step }: LoopOptions): Loop {
  let stopping = new AbortController()
  let running: Promise<void> | undefined
  let waiting: AbortController | undefined

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let again: boolean | undefined
      try {
        again = await step(stopping.signal)
      } catch (error) {
        if (!stopping.signal.aborted) log.warn({ loop: name, error }, 'loop step failed, it is repeated')
      }
      if (again) continue
      waiting = new AbortController()
      const wakeOrStop = AbortSignal.any([waiting.signal, stopping.signal])
      await pause(everyMs * (0.9 + Math.random() * 0.2), wakeOrStop)
      waiting = undefined
    }
  }

  return {
    name,
    wake: () => waiting?.abort(),
    async start() {
      if (running) return
      stopping = new AbortController()
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
      running = undefined
    },
  }
}
