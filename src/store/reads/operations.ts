/** Reads the log of operations: who did what to a task by hand. */
import type { Viewer } from '../../core/caller.ts'
import type { Db } from '../db.ts'
import { nullable, type RowOf, statement, text, time, uuid } from '../statement.ts'
import { asViewer } from '../viewer.ts'

const OPERATIONS = statement({
  name: 'operations',
  text: `select task_id as "taskId", at, actor, action, request_id as "requestId", reason
           from operation where task_id = any($1::uuid[]) order by id`,
  row: {
    taskId: uuid(),
    at: time(),
    actor: text(),
    action: text<'redrive' | 'cancel'>(),
    requestId: text(),
    reason: nullable(text()),
  },
})

export type OperationView = RowOf<typeof OPERATIONS>

/** Reads what was done by hand to those of the tasks that the viewer may see, oldest first. */
export async function readOperations(db: Db, viewer: Viewer, ids: readonly string[]): Promise<OperationView[]> {
  return asViewer(db, viewer, (reader) => reader.query(OPERATIONS, [ids]))
}
