// What conversations really changed for a user, by SQL past Nightshift: the effects that must happen exactly once.
import type { Totals } from './conversations.ts'
import type { Nightshift } from './nightshift.ts'

/** Reads all that was written for a user, in the shape of `totalsOf`; undefined when nothing was. */
export async function effectsOn({ sql }: Pick<Nightshift, 'sql'>, userId = 'u-1'): Promise<Totals | undefined> {
  const [totals] = await sql<Totals>(
    `select f.score, f.status, f.conversations,
            coalesce((select jsonb_object_agg(topic, mentions) from conversation.topic_metric where user_id = $1), '{}') as topics
       from conversation.friendship_status f
       join (select user_id, count(*)::int as rows, sum(score_change)::int as score
               from conversation.conversation group by user_id) c using (user_id)
      where user_id = $1 and f.conversations = c.rows and f.score = c.score`,
    [userId],
  )
  return totals
}
