/** What the log and the metrics name a moved task by. */

export const WHOSE = 't.request_id as "requestId", t.trace_id as "traceId", t.client'

/** What the log and the metrics name a task by. */
export interface Whose {
  readonly id: string
  readonly requestId: string
  readonly traceId: string
  readonly client: string
  readonly name: string
}
