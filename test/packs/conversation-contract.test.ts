// What conversation.ended accepts, and where it says the fault is.
import { describe, expect, test } from 'vitest'
import { conversationEnded, conversationPayload } from '../../packs/conversation/src/contract.ts'

const line = { role: 'user', text: 'Hello' }
const good = { conversation_id: 'c-1', user_id: 'u-1', bot_id: 'b-1', conversation_log: [line] }

/** The places that are refused, as JSON pointers; of an unknown field, the object that has it. */
function refusedAt(payload: unknown): string[] {
  const { error } = conversationPayload.safeParse(payload)
  return error?.issues.map(({ path }) => path.map((part) => `/${String(part)}`).join('')) ?? []
}

describe('conversation.ended', () => {
  test.each([
    { what: 'a plain conversation', payload: good },
    { what: 'an empty log', payload: { ...good, conversation_log: [] } },
    { what: 'no log at all', payload: { ...good, conversation_log: undefined } },
    {
      what: 'as many messages as fit',
      payload: { ...good, conversation_log: Array.from({ length: 5_000 }, () => line) },
    },
    {
      what: 'a message as long as fits',
      payload: { ...good, conversation_log: [{ ...line, text: 'x'.repeat(250_000) }] },
    },
    {
      what: 'entries of another shape',
      payload: { ...good, conversation_log: [line, null, 7, 'Hello', [line], { ...line, role: 'admin' }, {}] },
    },
    {
      what: 'everything a message may carry',
      payload: {
        ...good,
        conversation_log: [{ role: 'bot', text: 'Hi', topic: 'music', sentiment: -1, at: '2026-01-02T03:04:05+01:00' }],
      },
    },
  ])('accepts $what', ({ payload }) => {
    expect(refusedAt(payload)).toEqual([])
  })

  test.each([
    { what: 'a missing user', payload: { ...good, user_id: undefined }, at: ['/user_id'] },
    { what: 'an empty id', payload: { ...good, conversation_id: '' }, at: ['/conversation_id'] },
    { what: 'an id of another type', payload: { ...good, bot_id: 7 }, at: ['/bot_id'] },
    { what: 'an id that is too long', payload: { ...good, bot_id: 'b'.repeat(129) }, at: ['/bot_id'] },
    { what: 'an unknown field', payload: { ...good, mood: 'fine' }, at: [''] },
    { what: 'a log that is no list', payload: { ...good, conversation_log: 'Hello' }, at: ['/conversation_log'] },
    { what: 'something that is no object', payload: null, at: [''] },
  ])('refuses $what at its place', ({ payload, at }) => {
    expect(refusedAt(payload)).toEqual(at)
  })

  test('has an empty log when none is sent', () => {
    const { conversation_log: _, ...without } = good

    expect(conversationPayload.parse(without)).toEqual({ ...good, conversation_log: [] })
  })

  test('is one task for one conversation, and belongs to its user', () => {
    const payload = conversationPayload.parse(good)

    expect(conversationEnded.idempotencyKey?.(payload)).toBe('c-1')
    expect(conversationEnded.userId?.(payload)).toBe('u-1')
  })
})
