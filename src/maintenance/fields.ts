/** The fields of a log line about a task that maintenance has moved. */
import type { Whose } from '../store/moves/whose.ts'

export function fieldsOf({ id, requestId, traceId, client }: Whose): object {
  return { request_id: requestId, task_id: id, trace_id: traceId, client }
}
