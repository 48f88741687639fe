/**
 * The way of tasks in: collect → check → admit → commit → answer, over arrays. What arrives while a commit is under way
 * becomes the next batch: no timer, so an idle system pays no wait, and a busy one fills its batches by itself.
 */
import { isDataFault } from '../core/database-errors.ts'
import type { NewTask } from '../core/new-task.ts'
import { Problem, problemOf, unavailable } from '../http/problem.ts'
import { tracing } from '../runtime/tracing.ts'
import { settledWithin } from '../runtime/wait.ts'
import type { Accepted } from '../store/moves/accept.ts'
import { type Entered, statusUrlOf } from './accepted.ts'
import { type Admission, admit, admitEarly } from './admit.ts'
import { check, type SubmissionRules } from './check.ts'
import type { Commits } from './commit.ts'
import { HeldKeys } from './held-keys.ts'
import type { Row } from './row.ts'

/** How long a client waits, in milliseconds. */
export interface Waits {
  /** For the commit: a frozen PostgreSQL answers nothing, and the client is told, whatever stands in line before it. */
  readonly commitMs: number
  /** For the confirm of the broker, in the accept modes that wait for it. */
  readonly confirmMs: number
}

const WAITS: Waits = { commitMs: 5_000, confirmMs: 2_000 }

/** What a 202 waits for: the commit; for the broker too, and says whether it confirmed; or only that it did. */
export type AcceptMode = 'durable' | 'confirmed' | 'confirmed-strict'

export interface IntakeOptions {
  readonly commits: Commits
  /** Tells which of the tasks repeat one that was accepted under the same key. */
  readonly repeatsAmong: (tasks: readonly NewTask[]) => Promise<ReadonlySet<string>>
  readonly acceptMode: AcceptMode
  readonly admission: Admission
  readonly rules: SubmissionRules
  /** Default: 5 s for the commit, 2 s for the confirm. */
  readonly waits?: Partial<Waits> | undefined
}

/** One commit at a time would leave the api idle while PostgreSQL commits. */
const COMMITS_IN_FLIGHT = 2
const MAX_BATCH_ROWS = 500
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** What is checked in one turn of the event loop: some 10 ms of it. */
const MAX_TURN_BYTES = 1024 * 1024

export class Intake {
  readonly #options: IntakeOptions
  readonly #waits: Waits
  readonly #keys = new HeldKeys()
  /** Everything that is not answered yet, in the order in which it came. */
  readonly #open = new Set<Row>()
  #arrived: Row[] = []
  #admitted: Row[] = []
  #inFlight = 0
  #isScheduled = false
  #sweep: NodeJS.Timeout | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#waits = { ...WAITS, ...options.waits }
  }

  /** Takes rows in; each is told to its `done` when it has ended, at the latest when it has waited too long. */
  push(rows: readonly Row[]): void {
    for (const row of rows) {
      this.#arrived.push(row)
      this.#open.add(row)
    }
    this.#schedule()
    this.#sweep ??= setTimeout(() => this.#endLate(), this.#waits.commitMs / 20)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#arrived.length === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#look()
    })
  }

  /** Checks and admits what has arrived, as much of it as others can wait for. */
  #look(): void {
    const rows = this.#takeArrived()
    this.#schedule()
    const { admission, rules } = this.#options
    const seen = rows.filter((row) => this.#isWelcome(row))
    check(rules, seen)
    const fit = seen.filter((row) => !this.#isRefused(row))
    admit(admission, fit)
    const mayRepeat: Row[] = []
    for (const row of fit) {
      if (row.problem && (row.task as NewTask).keys.length > 0) mayRepeat.push(row)
      else if (!this.#isRefused(row)) this.#admitted.push(row)
    }
    if (mayRepeat.length > 0) void this.#letRepeatsIn(mayRepeat)
    this.#commitAll()
  }

  #takeArrived(): Row[] {
    let bytes = 0
    const end = this.#arrived.findIndex((row, at) => {
      bytes += row.size
      return at > 0 && (at >= MAX_BATCH_ROWS || bytes > MAX_TURN_BYTES)
    })
    return this.#arrived.splice(0, end === -1 ? this.#arrived.length : end)
  }

  /** Asks the door about a large row before it is looked into. @returns whether it is to be looked into */
  #isWelcome(row: Row): boolean {
    if (row.isDone) return false
    try {
      admitEarly(this.#options.admission, this.#options.rules.contracts, row)
    } catch (error) {
      row.problem = problemOf(error)
    }
    return !this.#isRefused(row)
  }

  /** Ends a row that has a problem. @returns whether it had */
  #isRefused(row: Row): boolean {
    if (!row.problem) return false
    this.#end(row, row.problem)
    return true
  }

  /** A repeat of an accepted task is not new work: a full queue does not refuse it, and it takes nothing of a share. */
  async #letRepeatsIn(rows: readonly Row[]): Promise<void> {
    const repeats = await this.#options
      .repeatsAmong(rows.map(({ task }) => task as NewTask))
      .catch((): ReadonlySet<string> => new Set())
    for (const row of rows) {
      if (!repeats.has((row.task as NewTask).id)) this.#end(row, row.problem)
      else {
        row.problem = undefined
        this.#admitted.push(row)
      }
    }
    this.#commitAll()
  }

  #commitAll(): void {
    while (this.#inFlight < COMMITS_IN_FLIGHT && this.#admitted.length > 0) {
      let count = 0
      let bytes = 0
      const { taken, left } = this.#keys.take(this.#admitted, ({ task }) => {
        count += 1
        bytes += (task as NewTask).payload.length
        return count === 1 || (count <= MAX_BATCH_ROWS && bytes <= MAX_BATCH_BYTES)
      })
      this.#admitted = left
      if (taken.length === 0) return
      void this.#commit(taken)
    }
  }

  /** Never rejects. */
  async #commit(rows: readonly Row[]): Promise<void> {
    this.#inFlight += 1
    try {
      const tasks = rows.map(({ task }) => task as NewTask)
      const members = rows.map(({ call, accepting }) => ({ caller: accepting?.caller ?? tracing.callerAt(call.place) }))
      const { outcomes, confirmed } = await tracing.batch('accept', members, tasks, this.#options.commits.commit)
      if (this.#options.acceptMode !== 'durable') void this.#endConfirmed(rows, outcomes, confirmed)
      else for (const [at, row] of rows.entries()) this.#settle(row, outcomes[at] as Accepted)
    } catch (error) {
      for (const row of rows) this.#end(row, refusalOf(error))
    } finally {
      this.#inFlight -= 1
      this.#keys.release(rows)
      this.#commitAll()
    }
  }

  async #endConfirmed(
    rows: readonly Row[],
    outcomes: readonly Accepted[],
    confirmed: Promise<readonly boolean[]>,
  ): Promise<void> {
    // They are committed: that the broker is slow must not be told as a database that is.
    for (const row of rows) this.#open.delete(row)
    let answers: readonly boolean[] = []
    const arrival = confirmed.then((known) => {
      answers = known
    })
    await settledWithin(this.#waits.confirmMs, arrival)
    for (const [at, row] of rows.entries()) {
      const outcome = outcomes[at] as Accepted
      row.confirmed = outcome.kind === 'replayed' ? outcome.isConfirmed : (answers[at] ?? false)
      this.#settle(row, outcome)
    }
  }

  #settle(row: Row, outcome: Accepted): void {
    if (outcome.kind === 'failed') this.#end(row, refusalOf(outcome.error))
    else if (outcome.kind === 'key_reused') {
      const key = outcome.key.replace(/^(?:key|name):/, '')
      const detail = `another body was accepted under the idempotency key "${key}"`
      this.#end(row, new Problem('idempotency-key-reused', detail))
    } else {
      row.accepted = outcome
      this.#end(row, this.#unconfirmed(row))
    }
  }

  /** In the strict mode only what the broker has confirmed is answered as accepted; the rest is accepted none the less. */
  #unconfirmed({ confirmed, accepted }: Row): Problem | undefined {
    if (this.#options.acceptMode !== 'confirmed-strict' || confirmed === true) return undefined
    const { id } = accepted as Entered
    const detail = `the broker did not confirm in time; the task is stored as ${id} and runs once it does: do not send it again, or repeat it with its Idempotency-Key`
    return new Problem('unavailable', detail, { retryAfterSeconds: 2, members: { id, statusUrl: statusUrlOf(id) } })
  }

  #end(row: Row, error?: unknown): void {
    this.#open.delete(row)
    row.finish(error)
  }

  /** Ends what has waited too long for PostgreSQL; whether it was accepted is then not known. */
  #endLate(): void {
    this.#sweep = undefined
    const before = performance.now() - this.#waits.commitMs
    for (const row of this.#open) {
      if (row.since > before) break
      this.#end(row, notInTime())
    }
    this.#arrived = this.#arrived.filter(({ isDone }) => !isDone)
    this.#admitted = this.#admitted.filter(({ isDone }) => !isDone)
    if (this.#open.size > 0) this.#sweep = setTimeout(() => this.#endLate(), this.#waits.commitMs / 20)
  }
}

/** Everything PostgreSQL refuses should have been refused before; what was not is still the fault of the input. */
function refusalOf(error: unknown): unknown {
  if (!isDataFault(error)) return error
  return new Problem('invalid-input', 'the database cannot store this task', { cause: error })
}

const notInTime = (): Problem =>
  unavailable(
    'the database did not answer in time, so whether the task was accepted is not known: repeat it with its Idempotency-Key',
  )
