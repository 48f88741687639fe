/** All routes of the gateway. */
import type { PackRoute } from 'nightshift-tasks'
import type { TaskReader } from '../http/prefer.ts'
import type { Route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { AcceptTask, type Waits } from './accept-task.ts'
import type { Admission } from './admit.ts'
import type { GroupCommit } from './group-commit.ts'
import { createRetryAndCancelRoutes } from './retry-and-cancel.ts'
import type { SubmissionRules } from './submission.ts'
import { createBatchRoutes } from './submit-batch.ts'
import { createTaskRoutes } from './submit-task.ts'

export interface GatewayOptions {
  readonly db: Db
  readonly groupCommit: GroupCommit
  readonly rules: SubmissionRules
  readonly packRoutes: readonly PackRoute[]
  readonly acceptMode: 'durable' | 'confirmed'
  readonly admission: Admission
  readonly reader: TaskReader
  /** How long clients wait, where that is not as usual. */
  readonly waits?: Partial<Waits>
}

/** Makes the routes. */
export function createGatewayRoutes(options: GatewayOptions): Route[] {
  const { db, packRoutes, reader } = options
  const tasks = new AcceptTask(options)
  return [
    ...createTaskRoutes({ tasks, packRoutes, reader }),
    ...createBatchRoutes({ tasks }),
    ...createRetryAndCancelRoutes(db),
  ]
}
