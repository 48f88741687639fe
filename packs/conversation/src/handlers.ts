/**
 * Counts an ended conversation. Everything happens in the task's own transaction, so a conversation is counted together
 * with the task's SUCCESS or not at all, and the user's events follow one another however many run at once.
 */
import { handlerOf, type Tx } from 'nightshift-tasks'
import { type ConversationPayload, conversationEnded } from './contract.ts'
import {
  addAffinity,
  addTopics,
  cacheCandidates,
  lockFriendship,
  readRecorded,
  recordConversation,
  setFriendship,
} from './queries.ts'
import { type FriendshipStatus, scoreOf, statusOf } from './score.ts'

export interface ConversationResult {
  readonly score_change: number
  /** The friendship after it; of a repeat, as it is now. */
  readonly score: number
  readonly status: FriendshipStatus
  /** The conversation had been counted before: nothing was changed. */
  readonly repeated?: true
}

export default [
  handlerOf(conversationEnded, ({ payload, task, tx }) =>
    tx((transaction) => countConversation(transaction, task.id, payload)),
  ),
]

/** Counts one conversation inside `tx`; doing it again changes nothing. */
export async function countConversation(
  tx: Tx,
  taskId: string,
  payload: ConversationPayload,
): Promise<ConversationResult> {
  const { conversation_id: id, user_id: userId, bot_id: botId, conversation_log: log } = payload
  const { change, topics } = scoreOf(log)
  if (!(await recordConversation(tx, { id, taskId, userId, botId, scoreChange: change }))) {
    const { scoreChange, score, status } = await readRecorded(tx, id)
    return { score_change: scoreChange, score, status, repeated: true }
  }
  const score = (await lockFriendship(tx, userId)) + change
  const status = statusOf(score)
  await setFriendship(tx, userId, { score, status })
  await addAffinity(tx, userId, botId, change)
  await addTopics(tx, userId, topics)
  await cacheCandidates(tx, userId)
  return { score_change: change, score, status }
}
