// The conversations of the demo are what the contract takes, so a change of the contract is noticed here first.
import { expect, test } from 'vitest'
import { conversationPayload } from '../../packs/conversation/src/contract.ts'
import { expectedFriendships, readConversations } from '../../scripts/demo/data.ts'
import { planOf } from '../../scripts/demo/plan.ts'

const conversations = readConversations()

test('every conversation of the demo fits the contract, and none stands there twice', () => {
  expect(conversations.filter((each) => !conversationPayload.safeParse(each).success)).toEqual([])
  expect(new Set(conversations.map(({ conversation_id }) => conversation_id)).size).toBe(conversations.length)
})

test('the demo has some thousands of conversations of some two hundred users, some of whom reach each status', () => {
  const friendships = [...expectedFriendships(conversations).values()]

  expect(conversations.length).toBeGreaterThanOrEqual(3_000)
  expect(friendships.length).toBeGreaterThanOrEqual(190)
  expect(new Set(friendships.map(({ status }) => status)).size).toBe(4)
})

test('the demo posts half of its conversations twice, by two routes, each post under its own request id', () => {
  const { first, then, tasks, expected } = planOf('test')
  const posts = [...first, ...then]
  const count = (kind: string): number => posts.filter((post) => post.kind === kind).length

  expect(count('repeat')).toBe(count('conversation') / 2)
  expect(new Set(posts.map(({ requestId }) => requestId)).size).toBe(posts.length)
  expect(posts.length - count('repeat')).toBe(tasks)
  expect(expected.SUCCESS + expected.FAILED).toBe(tasks)
})
