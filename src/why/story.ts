/** Tells the story of everything an id leads to: its tasks, what happened to each, and why each stands where it stands. */
import { z } from 'zod'
import type { Viewer } from '../core/caller.ts'
import { taskJson, taskSchema } from '../status/task-json.ts'
import type { Db } from '../store/db.ts'
import { readAttempts } from '../store/reads/attempts.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { FOUND_BY, findTasks } from '../store/reads/find-tasks.ts'
import { readOperations } from '../store/reads/operations.ts'
import { readStands } from '../store/reads/story.ts'
import { readTasks } from '../store/reads/tasks.ts'
import { timelineEventSchema, timelineOf } from './timeline.ts'
import { readWaits } from './waits.ts'
import { whyOf } from './why.ts'
import { waitSchema } from './why-waited.ts'

/** A batch has one request id for up to 10 000 tasks; beyond this many the list has the rest. */
const MOST_TASKS = 200

const toldSchema = taskSchema.extend({
  why: z.string().meta({ description: 'One sentence, made by rules from the facts beside it.' }),
  wait: waitSchema.nullable().meta({
    description: 'The wait that lasts, or else the longest, and what was the matter; null when it was short.',
  }),
  timeline: z.array(timelineEventSchema),
})

export const storySchema = z.object({
  requestId: z.string().meta({ description: 'The id that was asked for.' }),
  foundBy: z.array(z.enum(FOUND_BY)).meta({
    description: 'What the id is: of the request that submitted, of one that cancelled or redrove, …',
  }),
  traceIds: z.array(z.string()),
  tasks: z.array(toldSchema),
  moreUrl: z.string().nullable().meta({ description: 'The list of all its tasks, when there are more than 200.' }),
})
export type StoryJson = z.output<typeof storySchema>

export interface StoryOptions {
  readonly db: Db
  readonly resultTtlMs: number
  /** Task types whose idempotency key is made from their payload. */
  readonly keyedTasks: readonly string[]
}

/**
 * Tells the story, as far as this viewer may see it; undefined when nothing is found.
 *
 * @param id a request id, task id, trace id or idempotency key
 */
export async function tellStory(options: StoryOptions, viewer: Viewer, id: string): Promise<StoryJson | undefined> {
  const { db, resultTtlMs, keyedTasks } = options
  const keys = [`key:${id}`, ...keyedTasks.map((name) => `name:${name}:${id}`)]
  const found = await findTasks(db, viewer, id, keys, MOST_TASKS)
  if (found.ids.length === 0) return undefined
  const [views, attempts, operations, stands, now] = await Promise.all([
    readTasks(db, viewer, found.ids, resultTtlMs),
    readAttempts(db, viewer, found.ids),
    readOperations(db, viewer, found.ids),
    readStands(db, viewer, found.ids),
    databaseTime(db),
  ])
  if (views.length === 0) return undefined
  const tasks = views.map((view) => taskJson(view, attempts.get(view.id) ?? [], viewer))
  const waits = await readWaits(db, viewer, tasks, stands, now.getTime())
  const told = tasks.map((task) => {
    const stand = stands.get(task.id)
    const own = operations.filter(({ taskId }) => taskId === task.id)
    const wait = waits.get(task.id) ?? null
    const runBy = stand?.holder ? `${stand.holder} ${stand.holderVersion}` : null
    const why = whyOf(task, { runAt: stand?.runAt?.toISOString() ?? null, runBy, wait, operations: own }, now.getTime())
    return { ...task, why, wait, timeline: timelineOf(task, own, stand) }
  })
  const traceIds = [...new Set(tasks.map(({ traceId }) => traceId))]
  return {
    requestId: id,
    foundBy: [...found.by],
    traceIds,
    tasks: told,
    moreUrl: found.more ? `/api/v1/tasks?requestId=${encodeURIComponent(id)}` : null,
  }
}
