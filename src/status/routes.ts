/** Where tasks, queues and processes stand: the routes of this station. */
import type { PackSchema } from '../core/task-types.ts'
import type { WaitForEnd } from '../http/prefer.ts'
import type { Route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { createBurstRoutes } from './burst-routes.ts'
import { createHealthRoutes, type HealthRoutesOptions } from './health-routes.ts'
import { createListRoutes } from './list-routes.ts'
import { createTaskStatusRoutes, type ReadTaskJson } from './task-routes.ts'

export interface StatusOptions {
  readonly db: Db
  readonly schemas: readonly PackSchema[]
  readonly resultTtlMs: number
  readonly readTask: ReadTaskJson
  readonly waitForEnd: WaitForEnd
  readonly broker: HealthRoutesOptions['broker']
}

/** Makes the routes, in the order in which they must be matched. */
export function createStatusRoutes({ db, schemas, resultTtlMs, readTask, waitForEnd, broker }: StatusOptions): Route[] {
  return [
    ...createListRoutes(db, resultTtlMs),
    ...createTaskStatusRoutes(readTask, waitForEnd),
    ...createBurstRoutes(db),
    ...createHealthRoutes({ db, schemas, broker }),
  ]
}
