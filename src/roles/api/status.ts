/** Builds what answers where a task stands and why: the routes, and the reader that the gateway uses for `Prefer: wait`. */
import { keyedTasksOf } from '../../core/task-types.ts'
import type { TaskReader } from '../../http/prefer.ts'
import type { Route } from '../../http/route.ts'
import type { Service } from '../../runtime/service.ts'
import { createStatusRoutes } from '../../status/routes.ts'
import { createTaskReader, type StartEstimate } from '../../status/task-routes.ts'
import { createWaiter } from '../../status/waiter.ts'
import { finishedAmong } from '../../store/reads/tasks.ts'
import { createRequestRoutes } from '../../why/request-routes.ts'
import type { Foundation } from './foundation.ts'

export interface BuiltStatus {
  readonly reader: TaskReader
  readonly routes: readonly Route[]
  readonly services: readonly Service[]
}

export function buildStatus({ config, types, db, publisher }: Foundation, estimate: StartEstimate): BuiltStatus {
  const { resultTtlMs } = config
  const { contracts, schemas } = types
  const waiter = createWaiter({ finishedAmong: (ids) => finishedAmong(db, ids) })
  const reader = createTaskReader({ db, resultTtlMs, estimate, waiter })
  const broker = (): { connected: boolean; detail: string } => ({
    connected: publisher.link.state === 'ready',
    detail: publisher.link.trouble ?? publisher.link.state,
  })
  const routes = [
    ...createStatusRoutes({ db, schemas, resultTtlMs, reader, broker }),
    ...createRequestRoutes({ db, resultTtlMs, keyedTasks: keyedTasksOf(contracts) }),
  ]
  return { reader, routes, services: [waiter] }
}
