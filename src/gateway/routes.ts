/** All routes of the gateway. */
import type { PackRoute } from 'nightshift-tasks'
import type { WaitForEnd } from '../http/prefer.ts'
import type { Call, Route } from '../http/route.ts'
import { type Db, isOutage } from '../store/db.ts'
import { AcceptTask } from './accept-task.ts'
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
  readonly waitForEnd: WaitForEnd
  readonly readTask: (call: Call, id: string) => Promise<object | undefined>
}

/** Makes the routes. */
export function createGatewayRoutes(options: GatewayOptions): Route[] {
  const { db, packRoutes, waitForEnd, readTask } = options
  const tasks = new AcceptTask(options)
  return [
    ...createTaskRoutes({ tasks, packRoutes, waitForEnd, readTask }),
    ...createBatchRoutes({ tasks, isOutage }),
    ...createRetryAndCancelRoutes(db),
  ]
}
