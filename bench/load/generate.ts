// Starts the generator of load, which is a process of its own so that it measures nobody's pauses but the server's.
import { fileURLToPath } from 'node:url'
import { startPart } from '../processes.ts'

interface Common {
  readonly url: string
  /** What is posted; `DUE_PLACE` in it becomes the moment the request is due. */
  readonly body: string
}

export type Job = Common &
  (
    | { readonly kind: 'closed'; readonly inFlight: number; readonly seconds: number }
    | { readonly kind: 'open'; readonly perSecond: number; readonly seconds: number }
    | { readonly kind: 'single'; readonly count: number; readonly gapMs: number }
  )

export interface Generated {
  readonly answered: number
  readonly refused: number
  /** Milliseconds, in the open loop counted from when the request was due. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const SCRIPT = fileURLToPath(new URL('generator.ts', import.meta.url))

/** Runs a job to its end. */
export async function generate(job: Job): Promise<Generated> {
  const part = await startPart({ name: 'generator', script: SCRIPT, args: [], env: {} })
  try {
    return await part.ask<Generated>(job, 'done', 300_000)
  } finally {
    await part.stop()
  }
}
