/** What the log and the metrics name a moved task by. */
import { text, uuid } from '../statement.ts'

/** Columns of `task t`; its id and its name a statement selects itself. */
export const WHOSE = 't.request_id as "requestId", t.trace_id as "traceId", t.client'

export const WHOSE_ROW = { id: uuid(), requestId: text(), traceId: text(), client: text(), name: text() }

export interface Whose {
  readonly id: string
  readonly requestId: string
  readonly traceId: string
  readonly client: string
  readonly name: string
}
