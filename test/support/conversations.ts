// Ended conversations to submit, what they must add up to by the pure score function, and a hand on a user's row.

import { Client } from 'pg'
import type { ConversationPayload, LogEntry } from '../../packs/conversation/src/contract.ts'
import { type FriendshipStatus, scoreOf, statusOf } from '../../packs/conversation/src/score.ts'
import { sqlUrl } from './database.ts'

/** The n-th conversation of a user: each with another mood, two bots, topics in another order. */
export function aConversation(n: number, userId = 'u-1'): ConversationPayload {
  const topics = n % 2 === 0 ? ['music', 'food', 'travel'] : ['travel', 'food', `special ${n}`]
  const log = topics.map(
    (topic, index): LogEntry => ({ role: 'user', text: '…', topic, sentiment: ((n % 9) - index) / 10 }),
  )
  return { conversation_id: `${userId}-c-${n}`, user_id: userId, bot_id: `b-${n % 2}`, conversation_log: log }
}

export interface Totals {
  readonly score: number
  readonly status: FriendshipStatus
  readonly conversations: number
  /** Topic to mentions. */
  readonly topics: Readonly<Record<string, number>>
}

/** What the conversations of one user add up to, each counted once. */
export function totalsOf(conversations: readonly ConversationPayload[]): Totals {
  const scores = conversations.map((each) => scoreOf(each.conversation_log))
  const score = scores.reduce((sum, { change }) => sum + change, 0)
  const topics: Record<string, number> = {}
  for (const { topic, mentions } of scores.flatMap((each) => each.topics)) {
    topics[topic] = (topics[topic] ?? 0) + mentions
  }
  return { score, status: statusOf(score), conversations: conversations.length, topics }
}

/** Makes the user's friendship row and holds its lock, so that every task of this user waits, until `release`. */
export async function holdUser(databaseUrl: string, userId = 'u-1'): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: sqlUrl(databaseUrl) })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('insert into conversation.friendship_status (user_id) values ($1) on conflict do nothing', [
    userId,
  ])
  await client.query('begin')
  await client.query('select from conversation.friendship_status where user_id = $1 for update', [userId])
  return { release: () => client.end() }
}
