// How fast the story of one request is found in a full database: `node bench/why.ts [TASKS]`, by default three million.
// Fills a private PostgreSQL with finished tasks of the last month, asks for the story by each kind of id, cold and warm,
// shows the plans, and measures what the index on trace ids costs the accept. Prints everything; removes everything.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { startPostgres } from '../scripts/servers/postgres.ts'
import { silentLog } from '../src/runtime/log.ts'
import { type Db, openDb } from '../src/store/db.ts'
import { migrate } from '../src/store/migrate.ts'
import { accept } from '../src/store/moves/accept.ts'
import { tellStory } from '../src/why/story.ts'
import { aTask } from '../test/support/a-task.ts'
import { recorded } from '../test/support/recorded-db.ts'

const TASKS = Number(process.argv[2] ?? 3_000_000)
const DAYS = 30

/** The indexes are made after the rows, as PostgreSQL's manual advises for filling. */
const INDEXES = ['task_request', 'task_client', 'task_user', 'task_tags', 'task_trace', 'finished_at']

const FILL = `
  with made as (
    select n, clock_timestamp() - interval '${DAYS} days' * (1 - n::float8 / ${TASKS}) as at
      from generate_series($1::bigint, $2::bigint) n
  ), ided as (
    select n, at, overlay(id_floor(at)::text placing '7' || lpad(to_hex((n % 4096)::int), 3, '0') from 15)::text as head,
           md5(n::text) as md from made
  ), named as (
    select n, at, (left(head, 19) || '8' || substr(md, 2, 3) || '-' || substr(md, 5, 12))::uuid as id, md from (
      select n, at, md, substr(head, 1, 19) as head from ided) x
  ), tasks as (
    insert into task (id, name, queue, client, request_id, trace_id, traceparent, payload, created_at, accepted_by, ahead)
    select id, 'trial.echo', case when n % 50 = 0 then 'trial' else 'conversations' end, 'client-' || n % 40,
           'request-' || n, md, '00-' || md || '-' || left(md, 16) || '-01',
           json_build_object('text', repeat(md, 6)), at, 'api-1', (n % 30000)::int from named
  )
  insert into finished (task_id, status, attempt, failures, crashes, finished_at, consumer, started_at, due_at, published_at,
                        reoffers, outcome)
  select id, 'SUCCESS', 1, 0, 0, at + interval '20 s', '00000000-0000-4000-8000-000000000001', at + interval '19 s', at, at,
         0, 'success'
    from named`

const postgres = await startPostgres({
  folder: mkdtempSync(join(tmpdir(), 'nightshift-why-')),
  settings: { max_wal_size: '4GB' },
})
try {
  await migrate(postgres.url, [])
  const db = openDb({ url: postgres.url, poolSize: 4, name: 'bench', log: silentLog, queryTimeoutMs: 0 })
  await fill(db)
  await measureStories(db)
  await measureAccept(db)
  await db.close()
} finally {
  await postgres.remove()
}

async function run(db: Db, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return db.query<Record<string, unknown>>({ text }, values)
}

async function fill(db: Db): Promise<void> {
  const begun = performance.now()
  const defined = await run(
    db,
    'select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as text from pg_index',
  )
  const definitions = defined.filter(({ name }) => INDEXES.includes(name as string))
  await run(db, `select ensure_partitions(clock_timestamp() - interval '${DAYS + 1} days', clock_timestamp())`)
  for (const { name } of definitions) await run(db, `drop index ${name}`)
  await run(
    db,
    `insert into consumer (id, name, version, queues, lease_until, ended_at, ended_because)
    select case when n = 1 then '00000000-0000-4000-8000-000000000001'::uuid else gen_random_uuid() end, 'consumer-' || n,
           '1.0.0', '{"conversations": 20, "trial": 5}', clock_timestamp() - n * interval '8 min',
           clock_timestamp() - n * interval '8 min', 'told_to_stop' from generate_series(1, 5000) n`,
  )
  const STEP = 100_000
  for (let from = 1; from <= TASKS; from += STEP) await run(db, FILL, [from, Math.min(TASKS, from + STEP - 1)])
  for (const { text } of definitions) await run(db, String(text).replace(' ON ONLY ', ' ON '))
  await run(db, 'vacuum analyze')
  const size = (await run(db, 'select pg_size_pretty(pg_database_size(current_database())) as size'))[0]?.size
  console.log(
    `${TASKS} tasks in ${DAYS} days, ${size}, filled in ${((performance.now() - begun) / 1_000).toFixed(0)} s`,
  )
  const indexes = await run(
    db,
    `select i.inhparent::regclass::text as name, pg_size_pretty(sum(pg_relation_size(i.inhrelid))) as size
       from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where c.relkind = 'i' and i.inhparent::regclass::text like 'task%' group by 1 order by 1`,
  )
  console.log(indexes.map(({ name, size }) => `${name} ${size}`).join(', '))
}

async function measureStories(db: Db): Promise<void> {
  const tasks = await run(
    db,
    `select id, request_id, trace_id from task where id < id_floor(clock_timestamp() - interval '1 day')
     order by md5(id::text) limit 200`,
  )
  for (const [kind, column] of [
    ['request id', 'request_id'],
    ['task id', 'id'],
    ['trace id', 'trace_id'],
  ] as const) {
    await postgres.restart('fast')
    const times: number[] = []
    for (const task of tasks) times.push(await timed(db, String(task[column])))
    const again: number[] = []
    for (const task of tasks) again.push(await timed(db, String(task[column])))
    console.log(
      `by ${kind}: first after a restart ${ms(times[0])}, then p50 ${ms(quantile(times, 0.5))} p99 ${ms(quantile(times, 0.99))}; again p50 ${ms(quantile(again, 0.5))} p99 ${ms(quantile(again, 0.99))}`,
    )
  }
  const { db: recording, statements } = recorded(db)
  await tellStory({ db: recording, resultTtlMs: 86_400_000, keyedTasks: [] }, 'everybody', String(tasks[0]?.request_id))
  for (const statement of statements) {
    const plan = await statement.explain('analyze, buffers, costs off, summary on')
    console.log(`\n${statement.text.trim().split('\n').slice(0, 3).join(' ').replaceAll(/\s+/g, ' ').slice(0, 110)}`)
    console.log(plan.filter((line) => !line.includes('never executed')).join('\n'))
  }
}

async function timed(db: Db, id: string): Promise<number> {
  const begun = performance.now()
  const story = await tellStory({ db, resultTtlMs: 86_400_000, keyedTasks: ['conversation.ended'] }, 'everybody', id)
  if (story?.tasks.length !== 1) throw new Error(`the story of ${id} was not found`)
  return performance.now() - begun
}

/** Rounds with and without the index alternate, so that neither has the quieter moments. */
async function measureAccept(db: Db): Promise<void> {
  const kinds = { none: '', hash: 'using hash (trace_id)', btree: '(trace_id)' }
  const times: Record<string, number[]> = { none: [], hash: [], btree: [] }
  for (let round = 0; round < 4; round++) {
    for (const [kind, definition] of Object.entries(kinds)) {
      await run(db, 'drop index if exists task_trace')
      if (definition) await run(db, `create index task_trace on task ${definition}`)
      await run(db, 'checkpoint')
      for (let n = 0; n < 100; n++) {
        const batch = Array.from({ length: 200 }, () =>
          aTask({ id: v7(), traceId: v7().replaceAll('-', '').split('').reverse().join('') }),
        )
        const begun = performance.now()
        await accept(db, batch, 10, 'api-1')
        times[kind]?.push(performance.now() - begun)
      }
    }
  }
  for (const [kind, all] of Object.entries(times)) {
    console.log(
      `accept of 200 tasks, index on trace ids ${kind}: p50 ${ms(quantile(all, 0.5))}, p90 ${ms(quantile(all, 0.9))}`,
    )
  }
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN
}

function ms(value: number | undefined): string {
  return `${(value ?? Number.NaN).toFixed(1)} ms`
}
