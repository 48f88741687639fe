// Promise: two bodies have the same hash when they are the same JSON value, whatever the order of their keys, and else not.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { hashOf } from '../../src/core/canonical.ts'

const parsed = (text: string): object => JSON.parse(text) as object

test.each([
  [
    'the order of keys, at every depth',
    '{"a":{"x":1,"y":[{"p":1,"q":2}]},"b":2}',
    '{"b":2,"a":{"y":[{"q":2,"p":1}],"x":1}}',
  ],
  ['how a number is written', '{"a":[100,0.001,0,1e21]}', '{"a":[1e2,1E-3,-0,1000000000000000000000]}'],
  ['how text is written', '{"é":"\\/"}', '{"\\u00e9":"/"}'],
  ['keys that look like numbers', '{"10":1,"9":2}', '{"9":2,"10":1}'],
])('%s makes no difference', (_, one, other) => {
  expect(hashOf(parsed(one))).toBe(hashOf(parsed(other)))
})

test.each([
  ['a value', '{"a":1}', '{"a":2}'],
  ['a type', '{"a":1}', '{"a":"1"}'],
  ['the order of an array', '{"a":[1,2]}', '{"a":[2,1]}'],
  ['a key that is null', '{"a":null}', '{}'],
  ['a key called __proto__', '{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}'],
  ['large numbers that a double can tell apart', '{"a":9007199254740991}', '{"a":9007199254740992}'],
])('%s makes one', (_, one, other) => {
  expect(hashOf(parsed(one))).not.toBe(hashOf(parsed(other)))
})

test('the text is that of RFC 8785', () => {
  const text = '{"10":0,"9":1e+21,"a":"\\u0000é\u2028","b":5e-324}'

  expect(hashOf(parsed(text))).toBe(createHash('sha256').update(text).digest('hex'))
})
