/** `nightshift-tasks/testing`: runs a handler once without a platform, for the tests of a pack. */
import { randomUUID } from 'node:crypto'
import type { Handler, HandlerContext, TaskInHand, TaskLog, Tx } from './handler.ts'

/** What the attempt is given; everything has a default but the payload. */
export interface GivenAttempt {
  /** As a client would send it: checked against the contract first, as the platform does. */
  readonly payload: unknown
  readonly task?: Partial<TaskInHand>
  /** Default: one that never aborts. */
  readonly signal?: AbortSignal
  /** Runs the handler's transaction, such as `pool.connect`, `begin`, the work, `commit`. Without it, `tx` rejects. */
  readonly tx?: <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>
}

/** A line that the handler logged. */
export interface LoggedLine {
  readonly level: keyof TaskLog
  readonly fields: object
  readonly message: string
}

/** One attempt, ready to run. */
export interface TestAttempt {
  /** Everything the handler told by `progress`, in order. */
  readonly progress: { readonly percent?: number; readonly message?: string }[]
  /** Everything the handler logged, in order. */
  readonly lines: LoggedLine[]
  /** Runs the handler: gives its result, or rejects with what it threw. */
  run(): Promise<unknown>
}

/**
 * Prepares one attempt of a handler.
 *
 * @example
 * const attempt = anAttempt(sendMail, { payload: { to: 'a@example.org' }, task: { failures: 2 } })
 * expect(await attempt.run()).toEqual({ sent: true })
 * expect(attempt.progress).toEqual([{ percent: 50 }])
 * @throws ZodError when the payload does not fit the contract
 */
export function anAttempt(handler: Handler, given: GivenAttempt): TestAttempt {
  const { contract } = handler
  const { failures = 0, id = randomUUID() } = given.task ?? {}
  const progress: TestAttempt['progress'] = []
  const lines: LoggedLine[] = []
  const logAs =
    (level: keyof TaskLog) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message })
    }
  const context: HandlerContext<unknown> = {
    payload: contract.payload.parse(given.payload),
    task: {
      id,
      name: contract.name,
      queue: contract.queue,
      attempt: failures + 1,
      failures,
      client: 'test',
      requestId: randomUUID(),
      userId: null,
      traceparent: '00-11111111111111111111111111111111-2222222222222222-00',
      ...given.task,
    },
    signal: given.signal ?? new AbortController().signal,
    log: { info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
    idempotencyKey: id,
    progress: (value) => void progress.push(value),
    tx: given.tx ?? noTransaction,
  }
  return { progress, lines, run: async () => handler.handle(context) }
}

async function noTransaction(): Promise<never> {
  throw new Error('this attempt has no database: give anAttempt a tx')
}
