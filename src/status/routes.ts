/**
 * All routes of status but the documentation, which `withDocs` adds to the routes of every station.
 *
 * Wiring: `createStatusRoutes({ ...storyOptions, readTask, waitForEnd: waiter.waitForEnd, broker: () => brokerState })`
 */
import type { WaitForEnd } from '../http/prefer.ts'
import type { Route } from '../http/route.ts'
import { createBurstRoutes } from './bursts.ts'
import { createHealthRoutes, type HealthRoutesOptions } from './health.ts'
import { createListRoutes } from './list.ts'
import { createRequestRoutes } from './requests.ts'
import type { StoryOptions } from './story.ts'
import { createTaskStatusRoutes, type ReadTaskJson } from './tasks.ts'

export interface StatusOptions extends StoryOptions {
  readonly readTask: ReadTaskJson
  readonly waitForEnd: WaitForEnd
  readonly broker: HealthRoutesOptions['broker']
}

/** Makes the routes, in the order in which they must be matched. */
export function createStatusRoutes(options: StatusOptions): Route[] {
  const { db, resultTtlMs, readTask, waitForEnd, broker } = options
  return [
    ...createListRoutes(db, resultTtlMs),
    ...createTaskStatusRoutes(readTask, waitForEnd),
    ...createRequestRoutes(options),
    ...createBurstRoutes(db),
    ...createHealthRoutes({ db, broker }),
  ]
}
