/** The watchdog's thread: counts its own ticks since the main thread last beat, and kills the process at the limit. */
import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

const { beats, tickMs, mostTicks } = workerData as { beats: Int32Array; tickMs: number; mostTicks: number }
let seen = -1
let still = 0

// Counting ticks and not time: when the whole process was stopped and goes on, both threads go on.
setInterval(() => {
  const now = Atomics.load(beats, 0)
  still = now === seen ? still + 1 : 0
  seen = now
  if (still < mostTicks) return
  try {
    // A thread's process.stderr goes through the main thread, which is the one that stands still.
    writeSync(2, '{"level":"error","msg":"the event loop stood still for a lease, the process is ended"}\n')
  } finally {
    process.kill(process.pid, 'SIGKILL')
  }
}, tickMs)
