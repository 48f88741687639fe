// The conversations of the demo, and what they must add up to.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ConversationPayload } from '../../packs/conversation/src/contract.ts'
import { type FriendshipStatus, scoreOf, statusOf } from '../../packs/conversation/src/score.ts'

export const DATA_FILE = fileURLToPath(new URL('conversations.ndjson', import.meta.url))

/** Reads the data file: one conversation a line. */
export function readConversations(): ConversationPayload[] {
  return readFileSync(DATA_FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ConversationPayload)
}

export interface Friendship {
  readonly score: number
  readonly status: FriendshipStatus
  readonly conversations: number
}

/** Works out every user's friendship after each conversation was counted exactly once. */
export function expectedFriendships(conversations: readonly ConversationPayload[]): Map<string, Friendship> {
  const friendships = new Map<string, Friendship>()
  for (const { user_id, conversation_log } of conversations) {
    const before = friendships.get(user_id) ?? { score: 0, conversations: 0 }
    const score = before.score + scoreOf(conversation_log).change
    friendships.set(user_id, { score, status: statusOf(score), conversations: before.conversations + 1 })
  }
  return friendships
}
