/**
 * The SQL of `conversation.ended`. Locks are always taken in the same order: the conversation's key, the user's
 * friendship row, the bot's row, the topics' rows in topic order, the cache row. The friendship row is what serialises
 * the events of one user; everything after it belongs to that user alone.
 */
import type { Tx } from 'nightshift-tasks'
import type { FriendshipStatus, TopicCount } from './score.ts'

export interface NewConversation {
  readonly id: string
  readonly taskId: string
  readonly userId: string
  readonly botId: string
  readonly scoreChange: number
}

export interface Friendship {
  readonly score: number
  readonly status: FriendshipStatus
}

/** The primary key makes a repeat a no-op; a concurrent insert of the same id is waited for. */
const RECORD = `
  insert into conversation.conversation (id, task_id, user_id, bot_id, score_change) values ($1, $2, $3, $4, $5)
  on conflict (id) do nothing`

/** Records that a conversation is counted. Returns false when it was already. */
export async function recordConversation(tx: Tx, { id, taskId, userId, botId, scoreChange }: NewConversation) {
  return (await tx.query(RECORD, [id, taskId, userId, botId, scoreChange])).rowCount === 1
}

const RECORDED = `
  select c.score_change as "scoreChange", f.score, f.status
    from conversation.conversation c join conversation.friendship_status f on f.user_id = c.user_id
   where c.id = $1`

/** Reads what a counted conversation changed, and the friendship as it is now. */
export async function readRecorded(tx: Tx, conversationId: string): Promise<Friendship & { scoreChange: number }> {
  const { rows } = await tx.query<Friendship & { scoreChange: number }>(RECORDED, [conversationId])
  if (!rows[0]) throw new Error(`conversation ${conversationId} is counted but its user has no friendship row`)
  return rows[0]
}

const ENSURE_FRIENDSHIP =
  'insert into conversation.friendship_status (user_id) values ($1) on conflict (user_id) do nothing'
const LOCK_FRIENDSHIP = 'select score from conversation.friendship_status where user_id = $1 for update'

/** Makes sure the user's friendship row exists, and holds it until the transaction ends. Returns its score. */
export async function lockFriendship(tx: Tx, userId: string): Promise<number> {
  await tx.query(ENSURE_FRIENDSHIP, [userId])
  const { rows } = await tx.query<{ score: number }>(LOCK_FRIENDSHIP, [userId])
  if (!rows[0]) throw new Error(`the friendship row of user ${userId} was removed while it was being locked`)
  return rows[0].score
}

const SET_FRIENDSHIP = `
  update conversation.friendship_status
     set score = $2, status = $3, conversations = conversations + 1, updated_at = clock_timestamp()
   where user_id = $1`

/** Writes the new score of a friendship that `lockFriendship` holds, and counts one conversation more. */
export async function setFriendship(tx: Tx, userId: string, { score, status }: Friendship): Promise<void> {
  await tx.query(SET_FRIENDSHIP, [userId, score, status])
}

const ADD_AFFINITY = `
  insert into conversation.bot_affinity as a (user_id, bot_id, score) values ($1, $2, $3)
  on conflict (user_id, bot_id) do update set score = a.score + excluded.score`

/** Adds to the user's score with one bot. */
export async function addAffinity(tx: Tx, userId: string, botId: string, change: number): Promise<void> {
  await tx.query(ADD_AFFINITY, [userId, botId, change])
}

const ADD_TOPICS = `
  insert into conversation.topic_metric as m (user_id, topic, mentions)
  select $1, t.topic, t.mentions from jsonb_to_recordset($2::jsonb) as t(topic text, mentions int)
  on conflict (user_id, topic) do update set mentions = m.mentions + excluded.mentions`

/** Adds to how often the user talked about topics. @param topics each once, in topic order */
export async function addTopics(tx: Tx, userId: string, topics: readonly TopicCount[]): Promise<void> {
  if (topics.length > 0) await tx.query(ADD_TOPICS, [userId, JSON.stringify(topics)])
}

/** Exported for the test that compares the stored candidates with a fresh computation. $1 the user. */
export const CANDIDATES = `
  select jsonb_build_object(
    'bots', coalesce((
      select jsonb_agg(jsonb_build_object('bot_id', bot_id, 'score', score) order by score desc, bot_id) from (
        select bot_id, score from conversation.bot_affinity where user_id = $1 order by score desc, bot_id limit 10
      ) best), '[]'),
    'topics', coalesce((
      select jsonb_agg(jsonb_build_object('topic', topic, 'mentions', mentions) order by mentions desc, topic) from (
        select topic, mentions from conversation.topic_metric where user_id = $1 order by mentions desc, topic limit 5
      ) most), '[]')) as candidates`

const CACHE_CANDIDATES = `
  insert into conversation.candidate_cache (user_id, candidates) select $1, c.candidates from (${CANDIDATES}) c
  on conflict (user_id) do update set candidates = excluded.candidates, computed_at = clock_timestamp()`

/** Recomputes what to offer the user next: the ten bots with the best score and the five topics named most often. */
export async function cacheCandidates(tx: Tx, userId: string): Promise<void> {
  await tx.query(CACHE_CANDIDATES, [userId])
}
