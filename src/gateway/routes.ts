/**
 * All routes of the gateway.
 *
 * Wiring: `createGatewayRoutes({ db, acceptor, rules: { contracts, queues, newId, taskRetentionMs }, packRoutes,
 * acceptMode, waitForEnd: waiter.waitForEnd, readTask: taskReader })`
 */
import type { PackRoute } from 'nightshift-tasks'
import type { WaitForEnd } from '../http/prefer.ts'
import type { Call, Route } from '../http/route.ts'
import { type Db, isOutage } from '../store/db.ts'
import { createAccepting } from './accepting.ts'
import type { Acceptor } from './acceptor.ts'
import { createBatchRoutes } from './batch.ts'
import type { Admit } from './door.ts'
import { createOperateRoutes } from './operate.ts'
import type { SubmissionRules } from './submission.ts'
import { createTaskRoutes } from './tasks.ts'

export interface GatewayOptions {
  readonly db: Db
  readonly acceptor: Acceptor
  readonly rules: SubmissionRules
  readonly packRoutes: readonly PackRoute[]
  readonly acceptMode: 'durable' | 'confirmed'
  readonly admit: Admit
  readonly waitForEnd: WaitForEnd
  readonly readTask: (call: Call, id: string) => Promise<object | undefined>
}

/** Makes the routes. */
export function createGatewayRoutes({
  db,
  acceptor,
  rules,
  packRoutes,
  acceptMode,
  admit,
  waitForEnd,
  readTask,
}: GatewayOptions): Route[] {
  const accept = createAccepting({ acceptor, acceptMode, admit })
  return [
    ...createTaskRoutes({ accept, rules, packRoutes, waitForEnd, readTask }),
    ...createBatchRoutes({ accept, rules, isOutage }),
    ...createOperateRoutes(db),
  ]
}
