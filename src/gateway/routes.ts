/** All routes of the gateway. */
import type { PackRoute } from 'nightshift-tasks'
import type { TaskReader } from '../http/prefer.ts'
import type { Route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { createRetryAndCancelRoutes } from './retry-and-cancel.ts'
import { createBatchRoutes } from './submit-batch.ts'
import { createTaskRoutes } from './submit-task.ts'

export interface GatewayOptions extends IntakeOptions {
  readonly db: Db
  readonly packRoutes: readonly PackRoute[]
  readonly reader: TaskReader
}

/** Makes the routes. */
export function createGatewayRoutes(options: GatewayOptions): Route[] {
  const { db, packRoutes, reader } = options
  const intake = new Intake(options)
  return [
    ...createTaskRoutes({ intake, packRoutes, reader }),
    ...createBatchRoutes({ intake }),
    ...createRetryAndCancelRoutes(db),
  ]
}
