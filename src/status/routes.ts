/** Where tasks, queues and processes stand: the routes of this station. */
import type { PackSchema } from '../core/task-types.ts'
import type { Route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { createBurstRoutes } from './burst-routes.ts'
import { createHealthRoutes, type HealthRoutesOptions } from './health-routes.ts'
import { createListRoutes } from './list-routes.ts'
import { createTaskStatusRoutes, type StatusReader } from './task-routes.ts'

export interface StatusOptions {
  readonly db: Db
  readonly schemas: readonly PackSchema[]
  readonly resultTtlMs: number
  readonly reader: StatusReader
  readonly broker: HealthRoutesOptions['broker']
}

/** Makes the routes, in the order in which they must be matched. */
export function createStatusRoutes({ db, schemas, resultTtlMs, reader, broker }: StatusOptions): Route[] {
  return [
    ...createListRoutes(db, resultTtlMs),
    ...createTaskStatusRoutes(reader),
    ...createBurstRoutes(db),
    ...createHealthRoutes({ db, schemas, broker }),
  ]
}
