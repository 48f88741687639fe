/**
 * Ends a process whose event loop stands still for a lease: it can neither renew nor notice, and its deliveries stay
 * with it. Another consumer takes its work over, and Kubernetes starts it anew.
 */
import { Worker } from 'node:worker_threads'
import type { Service } from '../runtime/service.ts'

const TICK_MS = 500

/**
 * Makes the watchdog.
 * @param leaseSeconds how long the event loop may stand still
 * @param tickMs how often that is looked at, in milliseconds
 */
export function createWatchdog(leaseSeconds: number, tickMs = TICK_MS): Service {
  let worker: Worker | undefined
  let beating: NodeJS.Timeout | undefined
  return {
    name: 'watchdog',
    async start() {
      if (worker) return
      const beats = new Int32Array(new SharedArrayBuffer(4))
      beating = setInterval(() => Atomics.add(beats, 0, 1), tickMs / 2)
      const mostTicks = Math.ceil((leaseSeconds * 1_000) / tickMs)
      worker = new Worker(new URL('./watchdog-thread.ts', import.meta.url), {
        workerData: { beats, tickMs, mostTicks },
      })
      worker.unref()
    },
    async stop() {
      clearInterval(beating)
      await worker?.terminate()
      worker = undefined
    },
  }
}
