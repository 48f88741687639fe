/** What a handler is given. */
import type { HandlerContext } from 'nightshift-tasks'
import { storableJson } from '../core/storable.ts'
import type { Log } from '../runtime/log.ts'
import type { Db } from '../store/db.ts'
import { writeProgress } from '../store/moves/progress.ts'
import { type Claimed, idsOf } from './attempt.ts'
import type { Effects } from './effects.ts'

export interface ContextOptions {
  readonly life: { readonly id: string }
  /** Where progress is written. */
  readonly db: Db
  readonly log: Log
}

type Context = HandlerContext<unknown>

/** Makes the context of one attempt. @param payload as the contract's schema gave it */
export function contextOf(options: ContextOptions, attempt: Claimed, payload: unknown, effects: Effects): Context {
  const { task, abort } = attempt
  // Most handlers ask for none of the three, and making them for each attempt was a tenth of the time.
  let log: Log | undefined
  let write: Context['progress'] | undefined
  const logOf = (): Log => {
    log ??= options.log.child(idsOf(task))
    return log
  }
  return {
    payload,
    task: {
      id: task.id,
      name: task.name,
      queue: task.queue,
      attempt: task.attempt,
      failures: task.failures,
      client: task.client,
      requestId: task.requestId,
      userId: task.userId,
      traceparent: task.traceparent,
    },
    get signal() {
      return abort.signal
    },
    get log() {
      return logOf()
    },
    idempotencyKey: task.id,
    progress(value) {
      write ??= progressWriter(options, attempt, logOf())
      write(value)
    },
    tx: (work) => effects.run(work),
  }
}

const PROGRESS_EVERY_MS = 1_000

/** Writes the newest progress at most once a second; a value that comes sooner waits, the last one wins. */
function progressWriter({ db, life }: ContextOptions, { task, abort }: Claimed, log: Log): Context['progress'] {
  const { signal } = abort
  let newest: string | undefined
  let timer: NodeJS.Timeout | undefined
  const write = (): void => {
    timer = undefined
    if (newest === undefined || signal.aborted) return
    const value = newest
    newest = undefined
    timer = setTimeout(write, PROGRESS_EVERY_MS)
    writeProgress(db, task, life.id, value).catch((error: Error) => {
      log.warn({ error: error.message }, 'progress not written')
    })
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  return (value) => {
    newest = storableJson(value, 4_096)
    if (!timer) write()
  }
}
