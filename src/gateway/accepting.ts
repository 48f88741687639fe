/** Commits a task and says so: what all submitting routes share between a valid task and its answer. */
import type { z } from 'zod'
import type { NewTask } from '../core/new-task.ts'
import type { Standing } from '../core/standing.ts'
import { Problem, unavailable } from '../http/problem.ts'
import { tracing } from '../runtime/tracing.ts'
import { within } from '../runtime/wait.ts'
import { isDataFault } from '../store/db.ts'
import type { Acceptance, Acceptor } from './acceptor.ts'
import { type Admit, enter, estimateOf } from './door.ts'
import type { acceptedSchema } from './schemas.ts'

export type AcceptedBody = z.output<typeof acceptedSchema>

export interface AcceptedTask {
  readonly body: AcceptedBody
  /** It was accepted earlier: by the same key, with the same body. */
  readonly isReplayed: boolean
  /** How the client stands with the queue. */
  readonly standing: Standing
}

/** @throws Problem queue-full, idempotency-key-reused, unavailable, invalid-input; and whatever the database throws */
export type AcceptTask = (task: NewTask) => Promise<AcceptedTask>

/** A frozen PostgreSQL answers nothing: after this long the client is told, whatever stands in line before it. */
const LONGEST_COMMIT_MS = 5_000
const LONGEST_CONFIRM_MS = 2_000

export interface AcceptingOptions {
  readonly acceptor: Acceptor
  readonly acceptMode: 'durable' | 'confirmed'
  readonly admit: Admit
}

export function createAccepting({ acceptor, acceptMode, admit }: AcceptingOptions): AcceptTask {
  const acceptOne: AcceptTask = async (task) => {
    const standing = enter(admit, task)
    if (isDue(task)) task.ahead = standing.backlog ?? null
    const { accepted, confirmed } = await committed(acceptor, task)
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
      ...(accepted.kind === 'accepted' ? estimateOf(standing, accepted.isDue) : {}),
    }
    if (acceptMode === 'durable') return { body, isReplayed, standing }
    return { body: { ...body, confirmed: await confirmedInTime(confirmed) }, isReplayed, standing }
  }
  return (task) => tracing.accept(task, acceptOne)
}

/** Only a task that may begin at once waits behind those that are there. */
const isDue = ({ runAt, delayMs }: NewTask): boolean => runAt === null && delayMs === null

export const statusUrlOf = (id: string): string => `/api/v1/tasks/${id}`

async function committed(acceptor: Acceptor, task: NewTask): Promise<Acceptance> {
  try {
    return await within(LONGEST_COMMIT_MS, acceptor.accept(task), notInTime)
  } catch (error) {
    // Everything PostgreSQL refuses should have been refused before; what was not is still the fault of the input.
    if (isDataFault(error)) throw new Problem('invalid-input', 'the database cannot store this task', { cause: error })
    throw error
  }
}

const notInTime = (): Problem =>
  unavailable(
    'the database did not answer in time, so whether the task was accepted is not known: repeat it with its Idempotency-Key',
  )

/** Tells whether the broker confirmed in time; without the promise the sweep will publish it, later than that. */
async function confirmedInTime(confirmed: Promise<boolean> | undefined): Promise<boolean> {
  if (!confirmed) return false
  return within(LONGEST_CONFIRM_MS, confirmed, () => new Error('not confirmed in time')).catch(() => false)
}
