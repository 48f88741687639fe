/** `GET /api/v1/tasks` and `/my-tasks`: tasks by filter, newest first, page by page. */
import { z } from 'zod'
import { hashOf } from '../core/canonical.ts'
import { STATUSES } from '../core/states.ts'
import { viewerOf } from '../http/auth.ts'
import { REQUEST_ID } from '../http/head.ts'
import { Problem } from '../http/problem.ts'
import { type Answer, type Call, type Route, type RouteDoc, route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { listTasks, type TaskFilter } from '../store/reads/tasks.ts'
import { taskSummaryJson, taskSummarySchema } from './task-json.ts'

const word = (longest: number) => z.string().min(1).max(longest)
const moment = z.iso.datetime({ offset: true, error: 'must be an ISO 8601 date and time with an offset' })

const listQuery = z.strictObject({
  status: z.enum(STATUSES).optional(),
  name: word(100).optional().meta({ description: 'The task type.' }),
  queue: word(64).optional().meta({ description: 'The work queue.' }),
  requestId: z.string().regex(REQUEST_ID).optional().meta({ description: 'The X-Request-Id that caused them.' }),
  userId: word(200)
    .optional()
    .meta({ description: 'As it was submitted, or as the task type reads it from the payload.' }),
  tag: word(100).optional().meta({ description: 'One of its tags.' }),
  errorFingerprint: z
    .string()
    .regex(/^[0-9a-z-]{1,64}$/)
    .optional()
    .meta({ description: '16 hexadecimal characters: the group of the last error.' }),
  createdAfter: moment.optional().meta({ description: 'ISO 8601 with an offset.' }),
  createdBefore: moment.optional().meta({ description: 'ISO 8601 with an offset.' }),
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|1\d\d|200)$/, 'must be a whole number from 1 to 200')
    .optional()
    .meta({ description: '1-200, without it 50.' }),
  cursor: word(200).optional().meta({ description: '`nextCursor` of the page before, with the same filters.' }),
})

const myTasksQuery = listQuery.extend({ userId: word(200) })

export const taskPageSchema = z.object({
  items: z.array(taskSummarySchema),
  nextCursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
})

const DOC: Omit<RouteDoc, 'summary'> = {
  tag: 'Tasks',
  answers: {
    200: {
      says: 'One page, newest first.',
      schema: { name: 'TaskPage', schema: taskPageSchema },
      headers: { Link: 'The next page, `rel="next"`.' },
    },
  },
  problems: ['invalid-parameter', 'unavailable'],
}

/** Makes the routes. They must stand before `/api/v1/tasks/{id}`, which would take `my-tasks` for an id. */
export function createListRoutes(db: Db, resultTtlMs: number): Route[] {
  const scopes = ['read', 'operate'] as const
  return [
    route({
      method: 'get',
      path: '/api/v1/tasks',
      scopes,
      query: listQuery,
      doc: { ...DOC, summary: 'List tasks' },
      answer: (call, query) => page(db, resultTtlMs, call, query),
    }),
    route({
      method: 'get',
      path: '/api/v1/tasks/my-tasks',
      scopes,
      query: myTasksQuery,
      doc: { ...DOC, summary: "List one user's tasks" },
      answer: (call, query) => page(db, resultTtlMs, call, query),
    }),
  ]
}

async function page(db: Db, resultTtlMs: number, call: Call, query: z.output<typeof listQuery>): Promise<Answer> {
  const { limit, cursor, createdAfter, createdBefore, ...words } = query
  const filter = Object.fromEntries(
    Object.entries({
      ...words,
      createdAfter: sinceEpoch(createdAfter),
      createdBefore: sinceEpoch(createdBefore),
    }).filter(([, value]) => value !== undefined),
  ) as TaskFilter
  const mark = hashOf({ ...words, createdAfter, createdBefore }).slice(0, 8)
  const before = cursor === undefined ? undefined : readCursor(cursor, mark)
  const viewer = viewerOf(call.caller)
  const { items, more } = await listTasks(db, viewer, filter, { limit: Number(limit ?? 50), before, resultTtlMs })
  const last = items.at(-1)
  const nextCursor = more && last ? writeCursor(last.id, mark) : null
  const headers = nextCursor === null ? {} : { link: `<${nextUrl(call.url, nextCursor)}>; rel="next"` }
  return { status: 200, headers, body: { items: items.map((task) => taskSummaryJson(task, viewer)), nextCursor } }
}

/** Ids begin with the milliseconds since 1970, so an earlier moment means the same as 1970. */
function sinceEpoch(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(Math.max(0, Date.parse(text) || 0))
}

const CURSOR = /^([0-9a-f]{8})\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/

const writeCursor = (id: string, mark: string): string => Buffer.from(`${mark}.${id}`).toString('base64url')

/** A cursor of other filters would skip tasks in silence, so it is refused. */
function readCursor(cursor: string, mark: string): string {
  const match = CURSOR.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (match?.[1] === mark) return match[2] as string
  const what = match ? 'belongs to other filters: begin again without it' : 'is not one that this API gave'
  throw new Problem('invalid-parameter', `query parameter "cursor" ${what}`)
}

function nextUrl(url: URL, cursor: string): string {
  const next = new URLSearchParams(url.searchParams)
  next.set('cursor', cursor)
  return `${url.pathname}?${next}`
}
