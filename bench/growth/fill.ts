// Finished tasks by the million, written straight into the tables as a consumer would have left them.
import { Client } from 'pg'

const ROWS_A_STATEMENT = 250_000

/**
 * One row each of `task` and `finished` per task, with ids spread evenly over the last 20 hours: with ids
 * that arrive in order, as they do in life, so that the indexes are as dense as they would be.
 */
const FILL = `
  with fresh as materialized (
    select id, at, n from (
      select overlay(nightshift.id_floor(at)::text placing lpad(to_hex(n % 16777216), 6, '0') from 31)::uuid as id, at, n from (
        select n, clock_timestamp() - interval '20 h' + (n::float8 / $3) * interval '20 h' as at
          from generate_series($1::bigint, $2::bigint) n
      ) moments
    ) made
  ), tasks as (
    insert into nightshift.task (id, name, queue, client, request_id, trace_id, traceparent, payload, created_at)
    select id, 'trial.echo', 'trial', 'client-' || n % 50, md5(n::text), md5(n::text),
           '00-' || md5(n::text) || '-0000000000000001-00', json_build_object('text', repeat('x', 280)), at from fresh
  )
  insert into nightshift.finished (task_id, status, attempt, failures, crashes, result, finished_at, consumer, started_at,
                                   due_at, published_at, reoffers, outcome)
  select id, 'SUCCESS', 1, 0, 0, '{"text": "done"}', at, '00000000-0000-7000-8000-000000000000', at, at, at, 0, 'success'
    from fresh`

/** Stores so many finished tasks and analyses the tables; says how far it is. */
export async function fillFinished(url: string, count: number, log: (line: string) => void): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('set synchronous_commit = off')
    await client.query(`select nightshift.ensure_partitions(clock_timestamp() - interval '2 days', clock_timestamp())`)
    for (let from = 1; from <= count; from += ROWS_A_STATEMENT) {
      const to = Math.min(count, from + ROWS_A_STATEMENT - 1)
      await client.query(FILL, [from, to, count])
      if (to === count || to % (ROWS_A_STATEMENT * 4) === 0) log(`  ${to} of ${count} finished tasks stored`)
    }
    for (const table of ['task', 'finished']) await client.query(`vacuum (analyze) nightshift.${table}`)
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}
