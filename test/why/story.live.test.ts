// The story behind an id: found by each kind of id, only for those who may see it, by queries that need no scan.
import { expect, test } from 'vitest'
import type { Caller } from '../../src/core/caller.ts'
import { tellStory } from '../../src/why/story.ts'
import { liveApi } from '../status/live-api.ts'
import { recorded } from '../support/recorded-db.ts'

const CALLERS: Readonly<Record<string, Caller>> = {
  shop: { client: 'shop', scopes: ['submit', 'read'] },
  billing: { client: 'billing', scopes: ['submit', 'read'] },
  ops: { client: 'ops', scopes: ['operate'] },
}
const as = (who: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${who}`, ...more })
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('a request id, task id, trace id, key, and the request id of a cancel all lead to the task; no other client gets there', async () => {
  const { api } = await liveApi({ callers: CALLERS })
  const headers = {
    'x-request-id': 'order-17',
    'idempotency-key': 'invoice-1',
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
  }
  const conversation = { conversation_id: 'c-1', user_id: 'u', bot_id: 'b', conversation_log: [] }
  await api.post('/api/v1/conversations/end', conversation, as('shop', headers))
  const { items } = (await (await api.get('/api/v1/tasks', as('shop'))).json()) as { items: { id: string }[] }
  const id = items[0]?.id ?? ''
  await api.post(`/api/v1/tasks/${id}/cancel`, { reason: 'not needed' }, as('ops', { 'x-request-id': 'clean-up-3' }))

  const found: Record<string, unknown> = {}
  for (const each of ['order-17', id, id.toUpperCase(), TRACE, 'invoice-1', 'c-1', 'clean-up-3']) {
    for (const who of ['shop', 'ops']) {
      const answer = await api.get(`/api/v1/requests/${each}`, as(who))
      const body = (await answer.json()) as { foundBy: string[]; tasks: { id: string; why: string }[] }
      expect(answer.status, `${each} for ${who}`).toBe(200)
      expect(body.tasks.map((task) => task.id)).toEqual([id])
      expect(body.tasks[0]?.why).toBe('It was cancelled by ops (not needed) before it began.')
      found[each] = body.foundBy
    }
    expect((await api.get(`/api/v1/requests/${each}`, as('billing'))).status, `${each} for billing`).toBe(404)
  }

  expect(Object.values(found)).toEqual([
    ['request_id'],
    ['task_id'],
    ['task_id'],
    ['trace_id'],
    ['idempotency_key'],
    ['idempotency_key'],
    ['operation'],
  ])
})

test('what is not found says by which ids it was looked for', async () => {
  const { api } = await liveApi({ callers: CALLERS })

  const answer = await api.get('/api/v1/requests/nothing-here', as('ops'))

  expect(answer.status).toBe(404)
  expect(await answer.json()).toMatchObject({
    detail: 'no task is known by the request id, task id, trace id or key nothing-here',
  })
})

test('who flooded the queue is named to operators, and to other clients only as another client', async () => {
  const { api, sql } = await liveApi({ callers: CALLERS })
  const flood = Array.from({ length: 30 }, () => ({ name: 'trial.echo', payload: 1 }))
  await (await api.post('/api/v1/tasks/batch', flood, as('billing'))).text()
  const own = await api.post('/api/v1/tasks', { name: 'trial.echo', payload: 1 }, as('shop', { 'x-request-id': 'r-1' }))
  const { id } = (await own.json()) as { id: string }
  await sql(
    `update unfinished set due_at = due_at - interval '10 min', offered_at = offered_at - interval '1 min'
              where task_id <> $1`,
    [id],
  )
  await sql(`update unfinished set due_at = due_at - interval '10 min' where task_id = $1`, [id])

  const why = async (who: string): Promise<string> => {
    const { tasks } = (await (await api.get('/api/v1/requests/r-1', as(who))).json()) as { tasks: { why: string }[] }
    return tasks[0]?.why ?? ''
  }

  expect(await why('ops')).toContain('it has waited 10 min behind 30 tasks, 100 % of them from billing,')
  expect(await why('shop')).toContain('it has waited 10 min behind 30 tasks, 100 % of them from another client,')
})

test('no query of a story scans a table of tasks', async () => {
  const { api, db, sql } = await liveApi()
  for (const requestId of ['others', 'waits']) {
    const flood = Array.from({ length: 20 }, () => ({ name: 'trial.echo', payload: 1 }))
    // The answer comes while the batch is accepted: only its end says that all are.
    await (await api.post('/api/v1/tasks/batch', flood, { 'x-request-id': requestId })).text()
  }
  await sql(`update unfinished set due_at = due_at - interval '1 min'`)
  const { db: recording, statements } = recorded(db)
  const options = { db: recording, resultTtlMs: 3_600_000, keyedTasks: ['conversation.ended'] }

  await tellStory(options, 'everybody', 'waits')
  await tellStory(options, { client: 'anonymous' }, 'waits')
  await tellStory(options, 'everybody', 'a-key')
  const plans = await Promise.all(
    statements.map(async ({ text, explain }) => {
      // Small tables are scanned because it is quicker: so a scan that is left has no index to take its place.
      const plan = await explain('costs off', 'set local enable_seqscan = off')
      return { text, scanned: plan.flatMap((line) => /Seq Scan on (\w+)/.exec(line)?.[1] ?? []) }
    }),
  )

  const asked = plans.map(({ text }) => text).join('\n')
  for (const table of [
    'task ',
    'unfinished',
    'finished',
    'attempt',
    'operation',
    'outbox',
    'idempotency',
    'consumer',
    'crowd',
  ]) {
    expect(asked, 'the story asks all it can').toContain(table)
  }
  // One row for each life of a consumer and each absence of the broker: these are read as they lie.
  expect(
    [...new Set(plans.flatMap(({ scanned }) => scanned))].filter(
      (table) => !['consumer', 'broker_absence'].includes(table),
    ),
  ).toEqual([])
})
