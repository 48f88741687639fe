// What the demo posts: the conversations, half of them twice, and among them tasks that are built to fail.
import type { ConversationPayload } from '../../packs/conversation/src/contract.ts'
import { readConversations } from './data.ts'

export interface Post {
  readonly path: string
  readonly body: object
  readonly requestId: string
  readonly kind: 'conversation' | 'repeat' | 'recovers' | 'never works' | 'not worth repeating'
}

export interface Plan {
  /** Posted one at a time: the tasks that are built to fail. They climb their ladders while the others are posted. */
  readonly first: readonly Post[]
  /** Posted many at a time. */
  readonly then: readonly Post[]
  readonly conversations: readonly ConversationPayload[]
  /** How many tasks these posts are, repeats not counted. */
  readonly tasks: number
  readonly expected: { readonly SUCCESS: number; readonly FAILED: number }
}

/** A repeat comes this many posts after the first, so some meet it in flight and some find it done. */
const REPEAT_AFTER = 50

const TRIALS = [
  { count: 20, kind: 'recovers', payload: { times: 2, message: 'the search index answers 503' } },
  { count: 5, kind: 'never works', payload: { times: 1_000, message: 'the template "welcome" has no title' } },
  { count: 5, kind: 'not worth repeating', payload: { times: 1, message: 'the account is closed', retryable: false } },
] as const

/** Plans the posts of one run. Ids carry the run's name, so that a database of any age can be used. */
export function planOf(run: string): Plan {
  const conversations = readConversations().map((each) => ({
    ...each,
    conversation_id: `${run}-${each.conversation_id}`,
    user_id: `${run}-${each.user_id}`,
  }))
  const trials = TRIALS.flatMap(({ count, kind, payload }) =>
    Array.from({ length: count }, () => ({ kind, path: '/api/v1/tasks', body: { name: 'trial.fail', payload } })),
  )
  const firsts = conversations.map(toConversationRoute)
  const repeats = conversations.map((each, n) => (n % 2 === 0 ? [toTaskRoute(each)] : []))
  const mixed = [...firsts, ...Array.from({ length: REPEAT_AFTER }, () => undefined)].flatMap((first, n) => [
    ...(first ? [first] : []),
    ...(repeats[n - REPEAT_AFTER] ?? []),
  ])
  const posts = [...trials, ...mixed].map((post, n) => ({
    ...post,
    requestId: `${run}-${String(n + 1).padStart(5, '0')}`,
  }))
  const [first, then] = [posts.slice(0, trials.length), posts.slice(trials.length)]
  const failing = trials.filter(({ kind }) => kind !== 'recovers').length
  const tasks = conversations.length + trials.length
  return { first, then, conversations, tasks, expected: { SUCCESS: tasks - failing, FAILED: failing } }
}

function toConversationRoute(conversation: ConversationPayload) {
  return { kind: 'conversation', path: '/api/v1/conversations/end', body: conversation } as const
}

function toTaskRoute(conversation: ConversationPayload) {
  const body = { name: 'conversation.ended', payload: conversation }
  return { kind: 'repeat', path: '/api/v1/tasks', body } as const
}
