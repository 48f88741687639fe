/** Admits a task, commits it and says so: what all submitting routes share between a submission and its answer. */
import type { z } from 'zod'
import { isDataFault } from '../core/database-errors.ts'
import type { NewTask } from '../core/new-task.ts'
import { Problem, unavailable } from '../http/problem.ts'
import { tracing } from '../runtime/tracing.ts'
import { within } from '../runtime/wait.ts'
import { type Admission, estimateOf } from './admit.ts'
import type { Committed, GroupCommit } from './group-commit.ts'
import type { acceptedSchema, Submission } from './schemas.ts'
import { type AdmittedTask, newTaskOf, type SubmissionContext, type SubmissionRules } from './submission.ts'

export interface AcceptedTask {
  readonly task: AdmittedTask
  readonly body: z.output<typeof acceptedSchema>
  /** It was accepted earlier: by the same key, with the same body. */
  readonly isReplayed: boolean
}

/** How long a client waits, in milliseconds. */
export interface Waits {
  /** For the commit: a frozen PostgreSQL answers nothing, and the client is told, whatever stands in line before it. */
  readonly commitMs: number
  /** For the confirm of the broker, in accept mode `confirmed`. */
  readonly confirmMs: number
}

const WAITS: Waits = { commitMs: 5_000, confirmMs: 2_000 }

export interface AcceptTaskOptions {
  readonly groupCommit: GroupCommit
  readonly acceptMode: 'durable' | 'confirmed'
  readonly admission: Admission
  readonly rules: SubmissionRules
  /** Default: 5 s for the commit, 2 s for the confirm. */
  readonly waits?: Partial<Waits>
}

export class AcceptTask {
  readonly #options: AcceptTaskOptions
  readonly #waits: Waits

  constructor(options: AcceptTaskOptions) {
    this.#options = options
    this.#waits = { ...WAITS, ...options.waits }
  }

  /**
   * Makes the task that a client asks for and commits it.
   * @throws Problem invalid-input, queue-full, idempotency-key-reused, unavailable; and whatever the database throws
   */
  accept(submission: Submission, context: SubmissionContext): Promise<AcceptedTask> {
    const { rules, admission } = this.#options
    return tracing.accept(newTaskOf(rules, submission, context, admission), this.#accept)
  }

  readonly #accept = async (task: AdmittedTask): Promise<AcceptedTask> => {
    const { accepted, confirmed } = await this.#committed(task)
    if (accepted.kind === 'key_reused') {
      const key = accepted.key.replace(/^(?:key|name):/, '')
      throw new Problem('idempotency-key-reused', `another body was accepted under the idempotency key "${key}"`)
    }
    const isReplayed = accepted.kind === 'replayed'
    if (isReplayed) tracing.about(accepted.id, task.name)
    const body = {
      id: accepted.id,
      status: 'PENDING' as const,
      statusUrl: statusUrlOf(accepted.id),
      requestId: isReplayed ? accepted.requestId : task.requestId,
      traceId: isReplayed ? accepted.traceId : task.traceId,
      ...(accepted.kind === 'accepted' ? estimateOf(task.standing, accepted.isDue) : {}),
    }
    if (this.#options.acceptMode === 'durable') return { task, body, isReplayed }
    return { task, body: { ...body, confirmed: await confirmedWithin(this.#waits.confirmMs, confirmed) }, isReplayed }
  }

  async #committed(task: NewTask): Promise<Committed> {
    try {
      return await within(this.#waits.commitMs, this.#options.groupCommit.commit(task), notInTime)
    } catch (error) {
      // Everything PostgreSQL refuses should have been refused before; what was not is still the fault of the input.
      if (isDataFault(error))
        throw new Problem('invalid-input', 'the database cannot store this task', { cause: error })
      throw error
    }
  }
}

export const statusUrlOf = (id: string): string => `/api/v1/tasks/${id}`

const notInTime = (): Problem =>
  unavailable(
    'the database did not answer in time, so whether the task was accepted is not known: repeat it with its Idempotency-Key',
  )

/** Tells whether the broker confirmed in time; without the promise the sweep will publish it, later than that. */
async function confirmedWithin(ms: number, confirmed: Promise<boolean> | undefined): Promise<boolean> {
  if (!confirmed) return false
  return within(ms, confirmed, () => new Error('not confirmed in time')).catch(() => false)
}
