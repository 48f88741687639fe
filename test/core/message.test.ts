// Promise: a message is either a wake-up or unreadable for a reason that is said; reading one never throws.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeWakeUp, encodeWakeUp } from '../../src/core/message.ts'

const id = '01a2010c-e385-755a-ada6-16b496f4229b'

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.boolean(), (attempt, alone) => {
      expect(decodeWakeUp(encodeWakeUp({ id, attempt, alone }))).toEqual({ id, attempt, alone })
    }),
  )
})

const UNREADABLE = [
  { what: 'nothing', body: '', says: 'the body is not JSON' },
  { what: 'a list', body: '[]', says: 'the body is not a JSON object' },
  { what: 'null', body: 'null', says: 'the body is not a JSON object' },
  { what: 'another version', body: JSON.stringify({ v: 2, id, attempt: 1 }), says: 'the version is 2, not 1' },
  { what: 'no id', body: '{"v":1,"attempt":1}', says: 'the id is not a UUID' },
  {
    what: 'attempt 0',
    body: JSON.stringify({ v: 1, id, attempt: 0 }),
    says: 'the attempt is not a whole number from 1 to 1000000',
  },
  {
    what: 'half an attempt',
    body: JSON.stringify({ v: 1, id, attempt: 1.5 }),
    says: 'the attempt is not a whole number from 1 to 1000000',
  },
  {
    what: 'a body that is too large',
    body: JSON.stringify({ v: 1, id, attempt: 1, more: 'x'.repeat(2_000) }),
    says: 'the body has 2073 bytes, over 1024',
  },
]

test.each(UNREADABLE)('$what is unreadable', ({ body, says }) => {
  expect(decodeWakeUp(Buffer.from(body))).toEqual({ unreadable: says })
})

test('a field that is not known yet does no harm', () => {
  expect(decodeWakeUp(Buffer.from(JSON.stringify({ v: 1, id, attempt: 3, colour: 'red' })))).toEqual({
    id,
    attempt: 3,
    alone: false,
  })
})

test('no bytes make reading throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeWakeUp(Buffer.from(bytes))))
})
