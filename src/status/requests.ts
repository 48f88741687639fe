/** `GET /api/v1/requests/{requestId}`: everything one request caused, and why each task stands where it stands. */
import { z } from 'zod'
import { viewerOf } from '../http/auth.ts'
import { REQUEST_ID } from '../http/head.ts'
import { Problem } from '../http/problem.ts'
import { type Answer, type Call, type Route, route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { listTasks, readAttempts, readOperations } from '../store/reads.ts'
import { taskJson, taskSchema } from './task-json.ts'
import { timelineEventSchema, timelineOf } from './timeline.ts'
import { whyOf } from './why.ts'

/** A batch has one request id for up to 10 000 tasks; beyond this many the list has the rest. */
const MOST_TASKS = 200

export const requestSchema = z.object({
  requestId: z.string(),
  traceIds: z.array(z.string()),
  tasks: z.array(
    taskSchema.extend({
      why: z.string().meta({ description: 'One sentence, made by rules from the facts beside it.' }),
      timeline: z.array(timelineEventSchema),
    }),
  ),
  moreUrl: z.string().nullable().meta({ description: 'The list of all its tasks, when there are more than 200.' }),
})

/** Makes the route. */
export function createRequestRoutes(db: Db, resultTtlMs: number): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/requests/{requestId}',
      scopes: ['read', 'operate'],
      doc: {
        tag: 'Requests',
        summary: 'Look up a request by its X-Request-Id',
        answers: {
          200: { says: 'Its tasks, with what happened to each.', schema: { name: 'Request', schema: requestSchema } },
        },
        problems: ['not-found', 'unavailable'],
      },
      answer: (call) => answerRequest(db, resultTtlMs, call),
    }),
  ]
}

async function answerRequest(db: Db, resultTtlMs: number, call: Call): Promise<Answer> {
  const requestId = call.params.requestId ?? ''
  const nothing = new Problem('not-found', `no task of the request ${requestId.slice(0, 128)} is known`)
  if (!REQUEST_ID.test(requestId)) throw nothing
  const viewer = viewerOf(call.caller)
  const { items, more } = await listTasks(
    db,
    viewer,
    { requestId },
    { limit: MOST_TASKS, before: undefined, resultTtlMs },
  )
  if (items.length === 0) throw nothing
  const ids = items.map(({ id }) => id)
  const [attempts, operations] = await Promise.all([readAttempts(db, viewer, ids), readOperations(db, viewer, ids)])
  const now = Date.now()
  const tasks = items.toReversed().map((item) => {
    const task = taskJson(item, attempts.get(item.id) ?? [], viewer)
    const timeline = timelineOf(
      task,
      operations.filter(({ taskId }) => taskId === item.id),
    )
    return { ...task, why: whyOf(task, now), timeline }
  })
  const traceIds = [...new Set(tasks.map(({ traceId }) => traceId))]
  const moreUrl = more ? `/api/v1/tasks?requestId=${encodeURIComponent(requestId)}` : null
  return { status: 200, body: { requestId, traceIds, tasks, moreUrl } }
}
