/** Reads the log of operations: who did what to a task by hand. */
import type { Viewer } from '../../core/caller.ts'
import type { Db } from '../db.ts'
import { asViewer } from '../viewer.ts'

const OPERATIONS = {
  name: 'operations',
  text: `select task_id as "taskId", at, actor, action, request_id as "requestId", reason
           from operation where task_id = any($1::uuid[]) order by id`,
}

export interface OperationView {
  readonly taskId: string
  readonly at: Date
  readonly actor: string
  readonly action: 'redrive' | 'cancel'
  readonly requestId: string
  readonly reason: string | null
}

/** Reads what was done by hand to those of the tasks that the viewer may see, oldest first. */
export async function readOperations(db: Db, viewer: Viewer, ids: readonly string[]): Promise<OperationView[]> {
  return asViewer(db, viewer, (reader) => reader.query<OperationView>(OPERATIONS, [ids]))
}
