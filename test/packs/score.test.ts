// What a conversation is worth: the rules of scoreOf and statusOf, tried on many logs.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogEntry } from '../../packs/conversation/src/contract.ts'
import { LEAST_CHANGE, MOST_CHANGE, STATUS_FROM, scoreOf, statusOf } from '../../packs/conversation/src/score.ts'

const sentiment = fc.option(fc.double({ min: -1, max: 1, noNaN: true }), { nil: undefined })
const topic = fc.option(fc.constantFrom('Music', 'music', ' travel ', 'food', '__proto__', '  '), { nil: undefined })
const entry = fc
  .record({ role: fc.constantFrom('user', 'bot'), text: fc.constant('…'), topic, sentiment })
  .map((each) => each as LogEntry)
const log = fc.array(entry, { maxLength: 30 })

const said = (sentiment?: number): LogEntry => ({
  role: 'user',
  text: '…',
  ...(sentiment !== undefined && { sentiment }),
})
const holds = <Case>(property: fc.IProperty<Case>): void => fc.assert(property, { numRuns: 300 })

describe('the change of the score', () => {
  test('is a whole number within its bounds, whatever the log', () => {
    holds(
      fc.property(log, (entries) => {
        const { change } = scoreOf(entries)

        expect(Number.isSafeInteger(change) && !Object.is(change, -0)).toBe(true)
        expect(change).toBeGreaterThanOrEqual(LEAST_CHANGE)
        expect(change).toBeLessThanOrEqual(MOST_CHANGE)
      }),
    )
  })

  test('does not depend on the order of the messages', () => {
    holds(
      fc.property(log, fc.infiniteStream(fc.nat()), (entries, keys) => {
        const shuffled = entries
          .map((each) => ({ each, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ each }) => each)

        expect(scoreOf(shuffled)).toEqual(scoreOf(entries))
      }),
    )
  })

  test('does not depend on the order where floating-point sums would: 0.18 + 0.29 + 0.58 is 1.05 in any', () => {
    const entries = [0.18, 0.29, 0.58].map((each) => said(each))

    expect(scoreOf(entries).change).toBe(3 + 4)
    expect(scoreOf(entries.toReversed()).change).toBe(3 + 4)
  })

  test('does not depend on what the bot says', () => {
    holds(
      fc.property(log, (entries) => {
        const fromUser = entries.filter(({ role }) => role === 'user')

        expect(scoreOf(entries).change).toBe(scoreOf(fromUser).change)
      }),
    )
  })

  test('is not changed by entries of another shape, and is by a message that has more fields', () => {
    const strange = [null, 7, 'Hello', [said(1)], {}, { role: 'admin', text: '…', topic: 'music', sentiment: 1 }]
    const nearly = [
      { ...said(1), sentiment: 1.01 },
      { ...said(1), text: '' },
      { role: 'user', topic: 'music' },
    ]

    expect(scoreOf([...strange, said(0.5), ...nearly])).toEqual(scoreOf([said(0.5)]))
    expect(scoreOf([{ ...said(0.5), message_id: 'm-1' }])).toEqual(scoreOf([said(0.5)]))
  })

  test('never falls when one message of the user is warmer', () => {
    holds(
      fc.property(
        log,
        fc.double({ min: -1, max: 1, noNaN: true }),
        fc.double({ min: -1, max: 1, noNaN: true }),
        (rest, a, b) => {
          const [colder, warmer] = [Math.min(a, b), Math.max(a, b)]

          expect(scoreOf([...rest, said(warmer)]).change).toBeGreaterThanOrEqual(
            scoreOf([...rest, said(colder)]).change,
          )
        },
      ),
    )
  })

  test.each([
    { what: 'an empty log', entries: [], change: 0 },
    { what: 'one message without a sentiment', entries: [said()], change: 1 },
    { what: 'the warmest conversation', entries: Array.from({ length: 9 }, () => said(1)), change: MOST_CHANGE },
    { what: 'one hostile message', entries: [said(-1)], change: -9 },
    { what: 'a mean over the messages that carry a sentiment', entries: [said(0.5), said(0.7), said()], change: 9 },
  ])('of $what is $change', ({ entries, change }) => {
    expect(scoreOf(entries).change).toBe(change)
  })
})

describe('the topics', () => {
  test('are counted once for each message that names one, in topic order', () => {
    holds(
      fc.property(log, (entries) => {
        const { topics } = scoreOf(entries)
        const named = entries.filter((each) => each.topic?.trim())

        expect(topics.reduce((sum, { mentions }) => sum + mentions, 0)).toBe(named.length)
        expect(topics.map((each) => each.topic)).toEqual([...new Set(topics.map((each) => each.topic))].sort())
      }),
    )
  })

  test('are the same in upper and lower case', () => {
    const entries = ['Music', ' music', 'MUSIC', 'food'].map(
      (name): LogEntry => ({ role: 'bot', text: '…', topic: name }),
    )

    expect(scoreOf(entries).topics).toEqual([
      { topic: 'food', mentions: 1 },
      { topic: 'music', mentions: 3 },
    ])
  })
})

describe('the status', () => {
  test.each([
    { score: -50, status: 'stranger' },
    { score: 0, status: 'stranger' },
    ...STATUS_FROM.flatMap(([status, least]) => [{ score: least, status }]),
    { score: 19, status: 'stranger' },
    { score: 99, status: 'acquaintance' },
    { score: 299, status: 'friend' },
    { score: 100_000, status: 'close_friend' },
  ])('of $score points is $status', ({ score, status }) => {
    expect(statusOf(score)).toBe(status)
  })
})
