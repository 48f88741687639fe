/** `GET /api/v1/requests/{requestId}`: everything one request caused, and why each task stands where it stands. */
import { viewerOf } from '../http/auth.ts'
import { Problem } from '../http/problem.ts'
import { type Answer, type Call, type Route, route } from '../http/route.ts'
import { type StoryOptions, storySchema, tellStory } from './story.ts'

/** As long as the longest of the ids may be: an idempotency key. */
const ANY_ID = /^[\x21-\x7e]{1,255}$/

/** Makes the route. */
export function createRequestRoutes(options: StoryOptions): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/requests/{requestId}',
      scopes: ['read', 'operate'],
      doc: {
        tag: 'Requests',
        summary: 'Look up a request by its X-Request-Id',
        description:
          'Finds what the request submitted, cancelled or sent round again. A task id, a trace id or an idempotency key ' +
          'leads there as well. The sentence `why` is made by rules from the facts beside it; docs/why.md has them.',
        answers: {
          200: { says: 'Its tasks, with what happened to each.', schema: { name: 'Request', schema: storySchema } },
        },
        problems: ['not-found', 'unavailable'],
      },
      answer: (call) => answerRequest(options, call),
    }),
  ]
}

async function answerRequest(options: StoryOptions, call: Call): Promise<Answer> {
  const id = call.params.requestId ?? ''
  const story = ANY_ID.test(id) ? await tellStory(options, viewerOf(call.caller), id) : undefined
  if (story) return { status: 200, body: story }
  throw new Problem('not-found', `no task is known by the request id, task id, trace id or key ${id.slice(0, 128)}`)
}
