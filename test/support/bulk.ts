// Thousands of tasks at once: submitted by the batch call, and watched for being offered again.
import { call, type Nightshift } from './nightshift.ts'

export interface BulkTask {
  readonly name: string
  readonly payload: unknown
  readonly [field: string]: unknown
}

/** Submits tasks by the batch call, 10 000 a request, and returns their ids in order; throws when one is refused. */
export async function submitBulk(api: { readonly url: string }, tasks: readonly BulkTask[]): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < tasks.length; at += 10_000) {
    const { status, body } = await call(api, 'POST', '/api/v1/tasks/batch', tasks.slice(at, at + 10_000))
    if (status !== 202) throw new Error(`the batch was not accepted: ${status} ${JSON.stringify(body)}`)
    for (const item of body) {
      if (!item.accepted) throw new Error(`not accepted: ${JSON.stringify(item)}`)
      ids.push(item.id)
    }
  }
  return ids
}

/** Repeats one task. */
export function copiesOf(count: number, task: BulkTask): BulkTask[] {
  return Array.from({ length: count }, () => task)
}

/**
 * Writes down every re-offer from now on, because a task's own count goes with its end.
 * Returns a function that tells how often each task was offered again; tasks that never were are not in it.
 */
export async function recordReoffers(nightshift: Nightshift): Promise<() => Promise<ReadonlyMap<string, number>>> {
  await nightshift.sql(`
    create table reoffer_seen (task_id uuid not null);
    create function see_reoffer() returns trigger language plpgsql as $$
      begin insert into reoffer_seen values (new.task_id); return null; end $$;
    create trigger see_reoffer after update of reoffers on unfinished
      for each row when (new.reoffers > old.reoffers) execute function see_reoffer()`)
  return async () => {
    const rows = await nightshift.sql<{ id: string; times: number }>(
      'select task_id as id, count(*)::int as times from reoffer_seen group by task_id',
    )
    return new Map(rows.map(({ id, times }) => [id, times]))
  }
}

/** Returns those of the ids that did not end as SUCCESS in exactly one attempt: the result of a good test is []. */
export async function notDoneOnce(nightshift: Nightshift, ids: readonly string[]): Promise<unknown[]> {
  return nightshift.sql(
    `select wanted.id, f.status, f.attempt,
            (select count(*)::int from attempt_history a where a.task_id = wanted.id) as attempts
       from unnest($1::uuid[]) as wanted(id) left join finished f on f.task_id = wanted.id
      where f.status is distinct from 'SUCCESS' or f.attempt <> 1
         or (select count(*) from attempt_history a where a.task_id = wanted.id) <> 1
      limit 10`,
    [ids],
  )
}
