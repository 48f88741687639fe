// The SQL of conversation.ended on a real PostgreSQL: exact under concurrency, and counted once however often it runs.
import { randomUUID } from 'node:crypto'
import type { Tx } from 'nightshift-tasks'
import { Pool, type PoolClient } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ConversationPayload, LogEntry } from '../../packs/conversation/src/contract.ts'
import { countConversation } from '../../packs/conversation/src/handlers.ts'
import { CANDIDATES } from '../../packs/conversation/src/queries.ts'
import { scoreOf, statusOf } from '../../packs/conversation/src/score.ts'
import { aDatabase, type Database, sqlUrl } from '../support/database.ts'

let database: Database
let pool: Pool

beforeEach(async () => {
  database = await aDatabase()
  pool = new Pool({ connectionString: sqlUrl(database.url), max: 10 })
  // `end` does not wait for the server's goodbye, so dropping the database may still end a connection.
  pool.on('error', () => undefined)
})

afterEach(async () => {
  await pool.end()
  await database.drop()
})

const txOf = (client: PoolClient): Tx => ({
  async query<Row>(sql: string, values: readonly unknown[] = []) {
    const { rows, rowCount } = await client.query(sql, [...values])
    return { rows: rows as Row[], rowCount: rowCount ?? 0 }
  },
})

/** Counts a conversation in a transaction of its own, as the consumer does. */
async function count(payload: ConversationPayload) {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await countConversation(txOf(client), randomUUID(), payload)
    await client.query('commit')
    return result
  } finally {
    client.release()
  }
}

/** The n-th conversation of one user: each with another mood, two bots, topics in another order. */
function conversation(n: number): ConversationPayload {
  const topics = n % 2 === 0 ? ['music', 'food', 'travel'] : ['travel', 'food', 'music', `special ${n}`]
  const log = topics.map((topic, index): LogEntry => ({ role: 'user', text: '…', topic, sentiment: (n - index) / 10 }))
  return { conversation_id: `c-${n}`, user_id: 'u-1', bot_id: `b-${n % 2}`, conversation_log: log }
}

async function rowsOf(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return (await pool.query(sql, values)).rows
}

test('ten conversations of one user at once add up exactly', async () => {
  const conversations = Array.from({ length: 10 }, (_, n) => conversation(n))
  const scores = conversations.map((each) => scoreOf(each.conversation_log))
  const expected = scores.reduce((sum, { change }) => sum + change, 0)

  await Promise.all(conversations.map(count))

  expect(await rowsOf('select score, status, conversations from conversation.friendship_status')).toEqual([
    { score: expected, status: statusOf(expected), conversations: 10 },
  ])
  expect(await rowsOf('select sum(score)::int as total from conversation.bot_affinity')).toEqual([{ total: expected }])
  const mentions = scores.flatMap(({ topics }) => topics).reduce((sum, each) => sum + each.mentions, 0)
  expect(await rowsOf('select sum(mentions)::int as total from conversation.topic_metric')).toEqual([
    { total: mentions },
  ])
})

test('the stored candidates are those of the last committed numbers', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, n) => count(conversation(n))))

  const [stored] = await rowsOf('select candidates from conversation.candidate_cache where user_id = $1', ['u-1'])
  expect(stored).toEqual((await rowsOf(CANDIDATES, ['u-1']))[0])
  expect(stored).toMatchObject({ candidates: { bots: [{ bot_id: 'b-1' }, { bot_id: 'b-0' }] } })
  const { topics } = (stored as { candidates: { topics: unknown[] } }).candidates
  expect(topics.slice(0, 3)).toEqual(['food', 'music', 'travel'].map((topic) => ({ topic, mentions: 10 })))
  expect(topics).toHaveLength(5)
})

test('one conversation counted ten times at once changes the score once, and each answer says the same', async () => {
  const results = await Promise.all(Array.from({ length: 10 }, () => count(conversation(3))))

  const { change } = scoreOf(conversation(3).conversation_log)
  expect(await rowsOf('select score, conversations from conversation.friendship_status')).toEqual([
    { score: change, conversations: 1 },
  ])
  expect(results.filter(({ repeated }) => !repeated)).toHaveLength(1)
  for (const result of results) expect(result).toMatchObject({ score_change: change, score: change })
})

test('a repeat tells the change that was stored, even if the repeated log is another', async () => {
  const first = await count(conversation(8))

  const again = await count({ ...conversation(8), conversation_log: [] })

  expect(again).toEqual({ ...first, repeated: true })
})

test('users do not wait for each other', async () => {
  const holder = await pool.connect()
  await holder.query('begin')
  await countConversation(txOf(holder), randomUUID(), conversation(1))

  const other = await count({ ...conversation(2), user_id: 'u-2' })

  expect(other.repeated).toBeUndefined()
  await holder.query('rollback')
  holder.release()
})
