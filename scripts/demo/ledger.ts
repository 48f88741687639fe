// Looks into the database beside the API: how much is finished, and what the conversations added up to.
import { Pool } from 'pg'
import type { Friendship } from './data.ts'

export type Outcomes = Readonly<Record<'SUCCESS' | 'FAILED' | 'CANCELLED' | 'unfinished', number>>

export interface Ledger {
  /** Counts one client's tasks by how they stand. */
  outcomes(client: string): Promise<Outcomes>
  /** Reads the friendships of users whose id begins with `prefix`. */
  friendships(prefix: string): Promise<Map<string, Friendship>>
  close(): Promise<void>
}

const OUTCOMES = `
  select coalesce(f.status, 'unfinished') as status, count(*)::int as tasks
    from nightshift.task t left join nightshift.finished f on f.task_id = t.id
   where t.client = $1
   group by 1`

const FRIENDSHIPS = `
  select user_id, score, status, conversations from conversation.friendship_status where starts_with(user_id, $1)`

/** Opens a connection of its own. */
export function openLedger(databaseUrl: string): Ledger {
  const pool = new Pool({ connectionString: databaseUrl, max: 1, application_name: 'nightshift demo' })
  // The servers are ended right after, and an idle connection may see that.
  pool.on('error', () => undefined)
  return {
    async outcomes(client) {
      const { rows } = await pool.query<{ status: keyof Outcomes; tasks: number }>(OUTCOMES, [client])
      const counted = Object.fromEntries(rows.map(({ status, tasks }) => [status, tasks]))
      return { SUCCESS: 0, FAILED: 0, CANCELLED: 0, unfinished: 0, ...counted }
    },
    async friendships(prefix) {
      const { rows } = await pool.query<Friendship & { user_id: string }>(FRIENDSHIPS, [prefix])
      return new Map(rows.map(({ user_id, ...friendship }) => [user_id, friendship]))
    },
    close: () => pool.end(),
  }
}
