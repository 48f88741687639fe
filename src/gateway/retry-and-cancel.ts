/** `POST /api/v1/tasks/{id}/retry` and `/cancel`: what people do to tasks by hand. A client may do it to its own. */
import type { Actor } from '../core/caller.ts'
import type { Status } from '../core/states.ts'
import { isUuid } from '../core/uuid.ts'
import { viewerOf } from '../http/auth.ts'
import { parseInput, readOptionalJson } from '../http/input.ts'
import { Problem } from '../http/problem.ts'
import { retryAfter } from '../http/retry-after.ts'
import { type Answer, type Call, type Route, type RouteDoc, route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { cancelTask } from '../store/moves/cancel.ts'
import { redriveTasks } from '../store/moves/redrive.ts'
import { readTask } from '../store/reads/tasks.ts'
import { statusUrlOf } from './accepted.ts'
import { operatedSchema, operationSchema } from './schemas.ts'

const DOC: Omit<RouteDoc, 'summary'> = {
  tag: 'Operations',
  body: {
    required: false,
    contents: [{ type: 'application/json', schema: { name: 'Operation', schema: operationSchema } }],
  },
  answers: {
    202: {
      says: 'Done and committed; it stands in the history of the task.',
      schema: { name: 'Operated', schema: operatedSchema },
      headers: { Location: 'The status of the task.' },
    },
  },
  problems: ['not-found', 'wrong-state', 'invalid-input', 'unavailable'],
}

/** Makes the routes. */
export function createRetryAndCancelRoutes(db: Db): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/tasks/{id}/retry',
      scopes: ['submit', 'operate'],
      doc: {
        ...DOC,
        summary: 'Send a FAILED task round again',
        description: 'Its attempts stay in the history and go on counting; the retry ladder begins anew.',
      },
      answer: (call) => operated(call, 'PENDING', (id, actor) => retry(db, call, id, actor)),
    }),
    route({
      method: 'post',
      path: '/api/v1/tasks/{id}/cancel',
      scopes: ['submit', 'operate'],
      doc: {
        ...DOC,
        summary: 'Cancel an unfinished task',
        description:
          'It is CANCELLED at once. A handler that runs sees its abort signal; what it does later is not stored.',
      },
      answer: (call) =>
        operated(call, 'CANCELLED', async (id, actor) => {
          const outcome = await cancelTask(db, viewerOf(call.caller), id, actor)
          if (!outcome.done) throw refusal(id, outcome.status, 'cancelled')
        }),
    }),
  ]
}

async function operated(
  call: Call,
  status: 'PENDING' | 'CANCELLED',
  operate: (id: string, actor: Actor) => Promise<void>,
): Promise<Answer> {
  const { reason } = parseInput(operationSchema, await readOptionalJson(call))
  const id = call.params.id?.toLowerCase() ?? ''
  if (!isUuid(id)) throw refusal(id, undefined, 'changed')
  await operate(id, { name: call.caller.client, requestId: call.requestId, reason: reason ?? null })
  const statusUrl = statusUrlOf(id)
  return {
    status: 202,
    headers: { location: statusUrl, ...retryAfter(1).headers },
    body: { id, status, statusUrl, requestId: call.requestId },
  }
}

async function retry(db: Db, call: Call, id: string, actor: Actor): Promise<void> {
  const viewer = viewerOf(call.caller)
  if ((await redriveTasks(db, viewer, [id], actor)).length > 0) return
  throw refusal(id, (await readTask(db, viewer, id, 0))?.status, 'retried')
}

function refusal(id: string, status: Status | undefined, done: string): Problem {
  if (status === undefined) return new Problem('not-found', `there is no task ${id.slice(0, 100)}`)
  return new Problem('wrong-state', `a task that is ${status} cannot be ${done}`)
}
