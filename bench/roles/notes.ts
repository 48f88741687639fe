// What a worker notes in its handler, and tells the benchmark when asked. The same in every system, Nightshift included.
import { nowMs } from '../clock.ts'

export interface WorkerNotes {
  readonly handled: number
  readonly firstStartAt: number
  /** From the moment in the payload to the start of the handler, for each task whose payload has one. */
  readonly startMs: readonly number[]
}

export const NO_NOTES: WorkerNotes = { handled: 0, firstStartAt: 0, startMs: [] }

/** Makes the note-taker of this process; it answers the parent's `report`. */
export function createNotes(): (payload: unknown) => void {
  let handled = 0
  let firstStartAt = 0
  const startMs: number[] = []
  answerReports((): WorkerNotes => ({ handled, firstStartAt, startMs }))
  return (payload) => {
    if (handled === 0) firstStartAt = nowMs()
    handled += 1
    const due: unknown = (payload as { due?: unknown } | null)?.due
    if (due !== undefined) startMs.push(nowMs() - Number(due))
  }
}

/** Answers every `report` of the parent process with what `report` gives. */
export function answerReports(report: () => object): void {
  process.on('message', (message) => {
    if (message === 'report') process.send?.({ report: report() })
  })
  // Asking must be possible, waiting for a question must not keep the process.
  process.channel?.unref()
}
