// Promise: what could not be stored and given back as it was sent is refused with its place named; nothing else is.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inexactnessOf } from '../../src/core/exact-numbers.ts'
import { flawsOf, MAX_DEPTH, MAX_VALUES, sizeFlaw } from '../../src/core/flaws.ts'

const flawsIn = (text: string) => flawsOf(text, JSON.parse(text))

test.each([
  { what: 'NUL in a value', text: '{"a":["x","y\\u0000"]}', pointer: '/a/1' },
  { what: 'a lone surrogate', text: '{"a/b~c":"\\ud800"}', pointer: '/a~1b~0c' },
  { what: 'NUL in a key', text: '{"deep":{"k\\u0000":1}}', pointer: '/deep' },
  { what: 'an integer that was rounded', text: '{"n":9007199254740993}', pointer: '/n' },
  { what: 'a fraction that was rounded', text: '[1,0.123456789012345678]', pointer: '/1' },
  { what: 'a number beyond all', text: '[1e400]', pointer: '/0' },
  { what: 'a number that is nothing', text: '{"a":{"b":1e-400}}', pointer: '/a/b' },
  { what: 'minus nothing', text: '[[-0]]', pointer: '/0/0' },
  { what: 'a prototype', text: '{"__proto__":{"admin":true}}', pointer: '' },
  { what: 'a prototype in escapes', text: '{"a":{"__\\u0070roto__":1}}', pointer: '/a' },
  { what: 'text alone', text: '"\\u0000"', pointer: '' },
])('$what is found at its place', ({ text, pointer }) => {
  expect(flawsIn(text).map((flaw) => flaw.pointer)).toEqual([pointer])
})

test.each(['[', '{"a":'])('nesting of any depth by %s is found without exhausting the stack', (open) => {
  const close = open === '[' ? ']' : '}'
  const nested = (levels: number) => `${open.repeat(levels)}1${close.repeat(levels)}`

  expect(flawsIn(nested(200_000))).toMatchObject([{ detail: `is nested deeper than ${MAX_DEPTH} levels` }])
  expect(flawsIn(nested(MAX_DEPTH))).toEqual([])
  expect(flawsIn(nested(MAX_DEPTH + 1))).toHaveLength(1)
})

test('at most 20 flaws are told, of however many', () => {
  expect(flawsIn(`[${'1e999,'.repeat(1_000)}1]`)).toHaveLength(20)
})

test.each([
  ['zeros', `[${'0,'.repeat(MAX_VALUES)}0]`],
  ['empty arrays', `[${'[],'.repeat(MAX_VALUES)}0]`],
  ['keys', `{${Array.from({ length: MAX_VALUES }, (_, at) => `"${at}":0`).join(',')}}`],
])('more than 50 000 values are refused: %s', (_what, text) => {
  expect(sizeFlaw(text)?.detail).toContain('50000')
})

test('a long text is one value, whatever stands in it', () => {
  expect(sizeFlaw(JSON.stringify({ text: ',[{"'.repeat(60_000) }))).toBeUndefined()
})

describe('ordinary values have no flaw:', () => {
  test.each([
    '{"text":"naïve 😀","n":-1.5,"list":[true,null,9007199254740991]}',
    '[1e21,1.5e300,1E+2,100000000000000000000,0.1,0.10,1.0,5e-324,9007199254740992]',
    '[0,0.0,0e10,0E-400]',
    '"a \\u00e9 and a pair \\ud83d\\ude00"',
    '{"proto":"__proto__"}',
  ])('%s', (text) => {
    expect(flawsIn(text)).toEqual([])
  })
})

test('a number is exact if, and only if, it is the number that is read', () => {
  const digits = fc.stringMatching(/^-?(?:0|[1-9]\d{0,19})(?:\.\d{1,20})?(?:[eE][-+]?\d{1,2})?$/)
  const asFraction = (text: string): readonly [bigint, bigint] => {
    const [, sign, whole = '', fraction = '', exponent = '0'] =
      /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]?\d+))?$/i.exec(text) ?? []
    const power = Number(exponent) - fraction.length
    const value = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
    return power >= 0 ? [value * 10n ** BigInt(power), 1n] : [value, 10n ** BigInt(-power)]
  }
  fc.assert(
    fc.property(digits, (text) => {
      const value = Number(text)
      const [[a, b], [c, d]] = [asFraction(text), asFraction(String(value))]
      const isSame = a * d === c * b && !Object.is(value, -0)
      expect(inexactnessOf(text, value) === undefined).toBe(isSame)
    }),
    { numRuns: 2_000 },
  )
})
