/** Finds the wait of each task that is worth explaining, and gathers what was the matter meanwhile. */

import type { Viewer } from '../core/caller.ts'
import type { TaskJson } from '../status/task-json.ts'
import type { Db } from '../store/db.ts'
import { type OutboxView, readUnpublished } from '../store/reads/outbox.ts'
import { tasksAhead } from '../store/reads/queues.ts'
import { type Crowd, readCrowd, readSurroundings, type Stand, type Surroundings } from '../store/reads/story.ts'
import { type Wait, WORTH_SAYING_MS } from './why-waited.ts'

/** Of so many tasks of one request it is counted who stands before them; of the others the sentence leaves it out. */
const MOST_COUNTED = 5
/** Who was before it is no answer when hardly anybody was. */
const CROWD_FROM = 10

interface Span {
  readonly attempt: number
  readonly from: number
  readonly to: number
  readonly isOver: boolean
  readonly publishedAt: string | null
  readonly reoffers: number
}

/**
 * Reads the wait that lasts or else the longest one of each task; tasks that never waited long have none.
 *
 * @param now milliseconds since 1970, by the database's clock
 */
export async function readWaits(
  db: Db,
  viewer: Viewer,
  tasks: readonly TaskJson[],
  stands: ReadonlyMap<string, Stand>,
  now: number,
): Promise<ReadonlyMap<string, Wait>> {
  const spans = tasks.flatMap((task) => {
    const span = longestOf(spansOf(task, stands.get(task.id), now))
    return span ? [{ task, span }] : []
  })
  if (spans.length === 0) return new Map()
  const windows = spans.map(({ task: { id, name, queue }, span: { from, to } }) => ({
    taskId: id,
    name,
    queue,
    from: new Date(from),
    to: new Date(to),
  }))
  const lasting = spans.filter(({ span }) => !span.isOver)
  const dueFrom = new Date(Math.min(...lasting.map(({ span }) => span.from)) - 1)
  const ids = lasting.map(({ task }) => task.id)
  const [surroundings, unpublished] = await Promise.all([
    readSurroundings(db, windows),
    lasting.length === 0 ? new Map<string, OutboxView>() : readUnpublished(db, ids, dueFrom),
  ])
  const waits = new Map<string, Wait>()
  let counted = 0
  for (const { task, span } of spans) {
    const ahead = await aheadOf(db, task, span, stands.get(task.id), counted < MOST_COUNTED)
    const isCrowded = span.attempt === 1 && (ahead ?? 0) >= CROWD_FROM && counted < MOST_COUNTED
    if (isCrowded || !span.isOver) counted += 1
    const crowd = isCrowded ? await readCrowd(db, task.id, task.queue, ahead as number) : undefined
    const around = surroundings.get(task.id) as Surroundings
    waits.set(task.id, {
      ...waitOf(span, around, span.isOver ? undefined : unpublished.get(task.id)),
      ahead,
      crowd: crowd ? crowdOf(crowd, viewer) : null,
    })
  }
  return waits
}

/** Every time in which the task was due and did not run. */
function spansOf(task: TaskJson, stand: Stand | undefined, now: number): Span[] {
  const { attempts, status, dueAt, startedAt, finishedAt } = task
  const spans: Span[] = attempts.flatMap((each) =>
    each.dueAt === null
      ? []
      : [
          {
            attempt: each.attempt,
            from: Date.parse(each.dueAt),
            to: Date.parse(each.startedAt),
            isOver: true,
            publishedAt: each.publishedAt,
            reoffers: each.reoffers ?? 0,
          },
        ],
  )
  const publishedAt = stand?.publishedAt?.toISOString() ?? null
  const reoffers = stand?.reoffers ?? 0
  if (dueAt !== null && status === 'RUNNING') {
    const to = Date.parse(startedAt ?? dueAt)
    spans.push({ attempt: task.attempt, from: Date.parse(dueAt), to, isOver: true, publishedAt, reoffers })
  } else if (dueAt !== null) {
    const from = Date.parse(dueAt)
    spans.push({ attempt: task.attempt + 1, from, to: now, isOver: false, publishedAt: null, reoffers })
  } else if (finishedAt !== null && (status === 'CANCELLED' || task.failureReason === 'expired')) {
    const last = attempts.at(-1)
    const from = last ? (last.nextAt ?? last.endedAt) : (stand?.runAt?.toISOString() ?? task.createdAt)
    const to = Date.parse(finishedAt)
    spans.push({ attempt: task.attempt + 1, from: Date.parse(from), to, isOver: true, publishedAt: null, reoffers: 0 })
  }
  return spans.filter(({ from, to }) => to - from >= WORTH_SAYING_MS)
}

function longestOf(spans: readonly Span[]): Span | undefined {
  const lasting = spans.find(({ isOver }) => !isOver)
  return lasting ?? spans.toSorted((a, b) => b.to - b.from - (a.to - a.from))[0]
}

/** When it was accepted, for its first wait; of one that lasts it is counted now. */
async function aheadOf(
  db: Db,
  task: TaskJson,
  span: Span,
  stand: Stand | undefined,
  mayCount: boolean,
): Promise<number | null> {
  if (span.isOver) return span.attempt === 1 ? (stand?.ahead ?? null) : null
  return mayCount ? ((await tasksAhead(db, task.id)) ?? null) : null
}

/** Another client's name is nobody's business but the operators'. */
function crowdOf({ client, most, sampled }: Crowd, viewer: Viewer): Wait['crowd'] {
  const isShown = viewer === 'everybody' || viewer.client === client
  return { client: isShown ? client : 'another client', share: most / sampled, sampled }
}

function waitOf(span: Span, around: Surroundings, outbox: OutboxView | undefined): Omit<Wait, 'ahead' | 'crowd'> {
  const { attempt, isOver, publishedAt, reoffers } = span
  const { consumersBefore, consumersAfter, knowing, firstBegan, absence } = around
  return {
    attempt,
    from: new Date(span.from).toISOString(),
    to: new Date(span.to).toISOString(),
    isOver,
    published: outbox ? 'no' : publishedAt !== null || !isOver ? 'yes' : 'unknown',
    publishedAt,
    nextPublishAt: outbox?.dueAt.toISOString() ?? null,
    refusals: outbox?.tries ?? 0,
    reoffers,
    consumersBefore,
    consumersAfter,
    knowing,
    firstConsumerAt: firstBegan?.toISOString() ?? null,
    absence: absence && { ...absence, since: absence.since.toISOString(), until: absence.until.toISOString() },
  }
}
