/** `GET /api/v1/tasks/{id}` and `/{id}/status`: where a task stands, with its attempts; can wait for the end. */
import { createHash } from 'node:crypto'
import { isFinished } from '../core/states.ts'
import { isUuid } from '../core/uuid.ts'
import { viewerOf } from '../http/auth.ts'
import { type TaskReader, waitSecondsOf } from '../http/prefer.ts'
import { Problem } from '../http/problem.ts'
import { retryAfter } from '../http/retry-after.ts'
import { type Answer, type Call, type Route, route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { readAttempts } from '../store/reads/attempts.ts'
import { tasksAhead } from '../store/reads/queues.ts'
import { readTask, type TaskView } from '../store/reads/tasks.ts'
import { type TaskJson, taskJson, taskSchema } from './task-json.ts'
import type { Waiter } from './waiter.ts'

/** Reads a task as this caller may see it, or nothing, and waits for its end. */
export interface StatusReader extends TaskReader {
  readTask(call: Call, id: string): Promise<TaskJson | undefined>
}

/** The admission in the same process, handed over by roles/. */
export interface StartEstimate {
  /** Tells in how many seconds a task with so many before it will start, or undefined when there is no basis. */
  startsInSeconds(queue: string, ahead: number): number | undefined
}

export interface TaskReaderOptions {
  readonly db: Db
  readonly resultTtlMs: number
  readonly estimate: StartEstimate
  readonly waiter: Pick<Waiter, 'waitForEnd'>
}

/** Makes the reader that answers these routes and, handed over by roles/api/api.ts, `Prefer: wait` of a submission. */
export function createTaskReader(options: TaskReaderOptions): StatusReader {
  const { db, resultTtlMs, waiter } = options
  return {
    waitForEnd: waiter.waitForEnd,
    async readTask(call, id) {
      const viewer = viewerOf(call.caller)
      const task = await readTask(db, viewer, id, resultTtlMs)
      if (!task) return undefined
      const attempts = await readAttempts(db, viewer, [task.id])
      return { ...taskJson(task, attempts.get(task.id) ?? [], viewer), ...(await estimateOf(options, task)) }
    },
  }
}

/** A task that waits for its turn, and not for its time, has a place in the queue. */
async function estimateOf(
  { db, estimate }: TaskReaderOptions,
  { id, queue, status, dueAt }: TaskView,
): Promise<{ ahead?: number; estimatedStart?: string }> {
  if (status === 'RUNNING' || dueAt === null || dueAt.getTime() > Date.now()) return {}
  const ahead = await tasksAhead(db, id)
  if (ahead === undefined) return {}
  const seconds = estimate.startsInSeconds(queue, ahead)
  if (seconds === undefined) return { ahead }
  return { ahead, estimatedStart: new Date(Date.now() + seconds * 1_000).toISOString() }
}

/** Makes the routes. */
export function createTaskStatusRoutes(reader: StatusReader): Route[] {
  return ['/api/v1/tasks/{id}', '/api/v1/tasks/{id}/status'].map((path) =>
    route({
      method: 'get',
      path,
      scopes: ['read', 'operate'],
      doc: {
        tag: 'Tasks',
        summary: path.endsWith('/status') ? 'Read a task (the same as without /status)' : 'Read a task',
        headers: {
          Prefer: '`wait=n` answers when the task has ended, or after n seconds (at most 30).',
          'If-None-Match': 'An ETag of an earlier answer: 304 when nothing has changed.',
        },
        answers: {
          200: {
            says: 'The task. One that FAILED is read like any other.',
            schema: { name: 'Task', schema: taskSchema },
            headers: {
              ETag: 'Changes with the task.',
              'Retry-After': 'Seconds after which to look again; absent once it has ended.',
            },
          },
          304: { says: 'Nothing has changed.' },
        },
        problems: ['not-found', 'unavailable'],
      },
      answer: (call) => answerTask(call, reader),
    }),
  )
}

async function answerTask(call: Call, reader: StatusReader): Promise<Answer> {
  const id = call.params.id?.toLowerCase() ?? ''
  const nothing = new Problem('not-found', `there is no task ${id.slice(0, 100)}`)
  if (!isUuid(id)) throw nothing
  let task = await reader.readTask(call, id)
  const seconds = waitSecondsOf(call)
  if (task && seconds > 0 && !isFinished(task.status)) {
    await reader.waitForEnd(id, seconds * 1_000, call.signal)
    task = await reader.readTask(call, id)
  }
  if (!task) throw nothing
  // The estimate moves all the time; that alone is no change of the task.
  const { ahead: _, estimatedStart: __, ...lasting } = task
  const etag = `"${createHash('sha256').update(JSON.stringify(lasting)).digest('base64url').slice(0, 27)}"`
  const headers = {
    etag,
    'cache-control': 'no-cache',
    ...(seconds > 0 ? { 'preference-applied': `wait=${seconds}` } : {}),
    ...(isFinished(task.status) ? {} : retryAfter(secondsUntilWorthALook(task)).headers),
  }
  return namesTag(call.header('if-none-match'), etag) ? { status: 304, headers } : { status: 200, headers, body: task }
}

/** A task that waits for its time is not worth a look before it; never more than a minute, for a retry may be quicker. */
function secondsUntilWorthALook({ dueAt, status }: TaskJson): number {
  if (dueAt === null || status === 'RUNNING') return 1
  return Math.min(60, (Date.parse(dueAt) - Date.now()) / 1_000)
}

function namesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(etag) || tags.includes('*')
}
