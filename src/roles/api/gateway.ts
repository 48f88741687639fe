/** Builds the gateway: the routes that accept tasks, and the clock that their ids go by. */
import type { Admission } from '../../gateway/admit.ts'
import { createCommits, type FastPath } from '../../gateway/commit.ts'
import { createGatewayRoutes } from '../../gateway/routes.ts'
import type { TaskReader } from '../../http/prefer.ts'
import type { Route } from '../../http/route.ts'
import { createLoop } from '../../runtime/loop.ts'
import type { Service } from '../../runtime/service.ts'
import { repeatsAmong } from '../../store/moves/repeats.ts'
import { createIdClock } from '../../store/task-ids.ts'
import type { Foundation } from './foundation.ts'

export interface HandedOver {
  readonly fastPath: FastPath
  readonly admission: Admission
  readonly reader: TaskReader
}

export interface BuiltGateway {
  readonly routes: readonly Route[]
  readonly services: readonly Service[]
}

const ADJUST_EVERY_MS = 60_000

export function buildGateway(foundation: Foundation, { fastPath, admission, reader }: HandedOver): BuiltGateway {
  const { config, types, acceptDb, db, log, queues } = foundation
  const { acceptMode, taskRetentionMs } = config
  const commits = createCommits({
    db: acceptDb,
    fastPath,
    name: config.consumerName,
    // Without keys a client can take any name, and every name would be a series of its own.
    clientLabel: (client) => (config.auth === 'on' ? client : 'other'),
    waitsForConfirm: acceptMode !== 'durable',
    log,
  })
  const clock = createIdClock()
  const adjustClock = createLoop({
    name: 'clock',
    everyMs: ADJUST_EVERY_MS,
    log,
    step: async () => {
      await clock.adjust(db)
      return false
    },
  })
  const rules = { contracts: types.contracts, queues: new Set(queues.names), newId: clock.newId, taskRetentionMs }
  const routes = createGatewayRoutes({
    db,
    commits,
    repeatsAmong: (tasks) => repeatsAmong(acceptDb, tasks),
    rules,
    packRoutes: types.routes,
    acceptMode,
    admission,
    reader,
  })
  return { routes, services: [adjustClock] }
}
