// Promise: what PostgreSQL cannot store is replaced visibly; nothing else is touched.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { storableJson, storableText } from '../../src/core/storable.ts'

/** fast-check's own strings never contain NUL or lone surrogates, which are the ones that hurt. */
const hostile = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.constantFrom('\u0000', '\ud800', '\udfff', 'a\u0000b', '__proto__', '', '\u202e') },
)
const hostileJson = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, hostile, fc.double(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(hostile, tie('value'), { maxKeys: 4 }),
})).value

test('any text can be stored after it was made storable', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const stored = storableText(text)
      expect(stored.includes('\u0000')).toBe(false)
      expect(stored.isWellFormed()).toBe(true)
    }),
  )
})

test('any value can be stored as a result, and what was storable is unchanged', () => {
  fc.assert(
    fc.property(hostileJson, (value) => {
      const text = storableJson(value)
      const read: unknown = JSON.parse(text)
      expect(JSON.stringify(read)).toBe(text)
      expect(text.includes('\\u0000')).toBe(false)
      expect(/\\ud[89a-f]/i.test(text)).toBe(false)
    }),
  )
  expect(storableJson({ b: 1, a: ['ü', null] })).toBe('{"b":1,"a":["ü",null]}')
})

const circular: Record<string, unknown> = {}
circular.self = circular
const UNSTORABLE = [
  { what: 'a circle', value: circular, holds: 'nightshift_result_unstorable' },
  { what: 'a result of 2 MiB', value: 'x'.repeat(2 ** 21), holds: 'nightshift_result_too_large' },
  {
    what: 'a getter that throws',
    value: Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    }),
    holds: 'nightshift_result_unstorable',
  },
]

test.each(UNSTORABLE)('$what is replaced by a note that says so', ({ value, holds }) => {
  expect(Object.keys(JSON.parse(storableJson(value)))).toEqual([holds])
})

test('nothing, a function and a big integer have a JSON form', () => {
  expect([undefined, () => 1, 12345678901234567890n].map((value) => storableJson(value))).toEqual([
    'null',
    'null',
    '"12345678901234567890"',
  ])
})
