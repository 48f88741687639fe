/** What a client is told of a task that it has sent: in a 202 of its own, or as one item of a batch. */
import type { z } from 'zod'
import { metrics } from '../runtime/metrics.ts'
import type { Accepted } from '../store/moves/accept.ts'
import { estimateOf } from './admit.ts'
import type { Row } from './row.ts'
import type { acceptedSchema } from './schemas.ts'

/** What commit says of a row that is in: it was accepted now, or repeats one that was. */
export type Entered = Extract<Accepted, { readonly kind: 'accepted' | 'replayed' }>

export const statusUrlOf = (id: string): string => `/api/v1/tasks/${id}`

/** A row that is in, and so has all that is told of it. */
export type EnteredRow = Row & Required<{ [Field in 'task' | 'standing' | 'accepted']: NonNullable<Row[Field]> }>

export function isEntered(row: Row): row is EnteredRow {
  return row.problem === undefined && row.accepted !== undefined
}

/** Makes the body, and counts the time that it took. */
export function acceptedBody({
  task,
  accepted,
  standing,
  confirmed,
  call,
}: EnteredRow): z.output<typeof acceptedSchema> {
  metrics.acceptSeconds.observe({}, (performance.now() - call.receivedAt) / 1_000, task.traceparent)
  const { id } = accepted
  const isNew = accepted.kind === 'accepted'
  const body: z.output<typeof acceptedSchema> = {
    id,
    status: isNew ? 'PENDING' : accepted.status,
    statusUrl: statusUrlOf(id),
    requestId: isNew ? task.requestId : accepted.requestId,
    traceId: isNew ? task.traceId : accepted.traceId,
  }
  if (isNew) Object.assign(body, estimateOf(standing, accepted.isDue))
  if (confirmed !== undefined) body.confirmed = confirmed
  return body
}
