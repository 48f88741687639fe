/** Reads the history of tasks: the attempts that have ended. */
import type { Viewer } from '../../core/caller.ts'
import type { Failure } from '../../core/failure.ts'
import type { AttemptOutcome } from '../../core/states.ts'
import type { Db } from '../db.ts'
import { int, jsonb, neverNull, nullable, statement, text, time, uuid } from '../statement.ts'
import { asViewer } from '../viewer.ts'

export interface AttemptView {
  readonly attempt: number
  readonly consumer: string
  readonly version: string
  readonly startedAt: Date
  readonly endedAt: Date
  readonly outcome: AttemptOutcome
  readonly error: Failure | null
  readonly errorFingerprint: string | null
  /** When the attempt after this one was due, or null. */
  readonly nextAt: Date | null
  /** When this attempt was due; null for what ran before this was kept, as are the next two. */
  readonly dueAt: Date | null
  /** When the message that began it was published, by the clock of the api that did it. */
  readonly publishedAt: Date | null
  /** How often maintenance had offered it again. */
  readonly reoffers: number | null
  /** Why the life of its consumer ended, when it ended with this attempt in hand. */
  readonly consumerEnded: ConsumerEnded | null
}

export const CONSUMER_ENDS = ['told_to_stop', 'lease_lost', 'silent'] as const
export type ConsumerEnded = (typeof CONSUMER_ENDS)[number]

const ATTEMPTS = statement({
  name: 'attempts',
  text: `
    select a.task_id as "taskId", a.attempt, coalesce(c.name, a.consumer::text) as consumer,
           coalesce(c.version, '') as version, a.started_at as "startedAt", a.ended_at as "endedAt", a.outcome, a.error,
           a.fingerprint as "errorFingerprint", a.next_at as "nextAt", a.due_at as "dueAt",
           a.published_at as "publishedAt", a.reoffers,
           case when a.outcome in ('handed_back', 'crash')
                 and c.ended_at between a.started_at and a.ended_at + interval '1 s' then c.ended_because
           end as "consumerEnded"
      from attempt_history a left join consumer c on c.id = a.consumer
     where a.task_id = any($1::uuid[]) order by a.task_id, a.attempt`,
  row: {
    taskId: neverNull(uuid()),
    attempt: neverNull(int()),
    consumer: neverNull(text()),
    version: neverNull(text()),
    startedAt: neverNull(time()),
    endedAt: neverNull(time()),
    outcome: neverNull(text<AttemptOutcome>()),
    error: nullable(jsonb<Failure>()),
    errorFingerprint: nullable(text()),
    nextAt: nullable(time()),
    dueAt: nullable(time()),
    publishedAt: nullable(time()),
    reoffers: nullable(int()),
    consumerEnded: nullable(text<ConsumerEnded>()),
  },
})

/** Reads the ended attempts of those of the tasks that the viewer may see, oldest first, by task id. */
export async function readAttempts(
  db: Db,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Map<string, AttemptView[]>> {
  const byTask = new Map<string, AttemptView[]>(ids.map((id) => [id, []]))
  const rows = await asViewer(db, viewer, (reader) => reader.query(ATTEMPTS, [ids]))
  for (const { taskId, ...attempt } of rows) {
    byTask.get(taskId)?.push(attempt)
  }
  return byTask
}
