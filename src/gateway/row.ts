/** One task on its way in: what each step has found out about it. Steps work on arrays of them; a single task is an array of one. */
import type { NewTask } from '../core/new-task.ts'
import type { Standing } from '../core/standing.ts'
import type { Call } from '../http/call.ts'
import { type Problem, problemOf } from '../http/problem.ts'
import type { Accepting } from '../runtime/tracing/contract.ts'
import type { Entered } from './accepted.ts'
import type { Form } from './forms.ts'

export interface RowInput {
  readonly call: Call
  readonly form: Form
  /** JSON, as it was sent. */
  readonly sent: Buffer | string
  /** What the client sent as its idempotency key, already checked. */
  readonly key: string | undefined
  /** Is told once when it is known what becomes of the task, or that it cannot be known in time. */
  readonly done: (row: Row) => void
}

export class Row {
  readonly call: Call
  readonly form: Form
  /** Set by check where the form makes one. */
  key: string | undefined
  readonly since = performance.now()
  sent: Buffer | string
  /** Set by check. */
  task: NewTask | undefined
  accepting: Accepting | undefined
  /** Set by admit. */
  standing: Standing | undefined
  /** Set by commit. */
  accepted: Entered | undefined
  /** Whether the broker confirmed in time, where the accept mode waits for it. */
  confirmed: boolean | undefined
  /** Why it is refused. */
  problem: Problem | undefined
  isDone = false
  readonly #done: (row: Row) => void

  constructor({ call, form, sent, key, done }: RowInput) {
    this.call = call
    this.form = form
    this.sent = sent
    this.key = key
    this.#done = done
  }

  /** Bytes or characters that it was sent as. */
  get size(): number {
    return this.sent.length
  }

  /** Ends it as accepted, replayed or, with an error, as refused. What comes later, after a wait that was too long, is nothing. */
  finish(error?: unknown): void {
    if (this.isDone) return
    this.isDone = true
    if (error !== undefined) this.problem = problemOf(error)
    this.accepting?.end(this.problem?.slug, this.accepted?.kind === 'replayed' ? this.accepted.id : undefined)
    this.#done(this)
  }
}
