// Promise: what is said of a JSON text before it is parsed is what parsing it would have shown.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { itemsOf, shapeOf, stringFieldOf } from '../../src/core/json-text.ts'

const spaces = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
/** Written with white space, as people write it. */
const written = fc
  .tuple(fc.jsonValue(), fc.constantFrom(0, 1, '\t'))
  .map(([value, by]) => JSON.stringify(value, null, by))

test('the items of an array are those that parsing it gives', () => {
  fc.assert(
    fc.property(fc.array(written), spaces, (texts, space) => {
      const array = `${space}[${texts.map((text) => `${space}${text}${space}`).join(',')}]${space}`
      expect(itemsOf(array, 1_000)?.map((text) => JSON.parse(text) as unknown)).toEqual(JSON.parse(array))
    }),
  )
})

test.each(['', ' ', '{}', '7', '"[]"', '[', '[1', '[1,', '["a]', '["a\\"]', '[[]', '[]]', '[1] 2', '[1][2]', ']'])(
  'no whole array: %s',
  (text) => {
    expect(itemsOf(text, 1_000)).toBeUndefined()
  },
)

test('a place without a value is an item without text', () => {
  expect(itemsOf('[1,,2]', 10)).toEqual(['1', '', '2'])
  expect(itemsOf('[1,]', 10)).toEqual(['1', ''])
  expect(itemsOf('[,]', 10)).toEqual(['', ''])
})

test('beyond the most items the rest is not looked at', () => {
  expect(itemsOf(`[${'0,'.repeat(1_000_000)}`, 10)).toHaveLength(11)
})

test('a string field of the object is found, and none within it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.string(), (others, inner, value) => {
      const { name: _, ...rest } = others
      const text = JSON.stringify({ inner: { name: 'wrong', inner }, ...rest, name: value }, null, 1)
      const isPlain = !JSON.stringify(value).includes('\\')
      expect(stringFieldOf(text, 'name')).toBe(isPlain ? value : undefined)
    }),
  )
})

test.each(['', '{', '{"name"', '{"name":', '{"name":7}', '["name","x"]', '{"a":"name","b":"x"}', '[{"name":"x"}]'])(
  'no string field: %s',
  (text) => {
    expect(stringFieldOf(text, 'name')).toBeUndefined()
  },
)

test('the shape of a text counts what it is made of', () => {
  expect(shapeOf('{"a":[1,2,{"b":null}]}')).toMatchObject({ depth: 3, hasPlainNumbers: true, hasPlainTexts: true })
  expect(shapeOf('"[[[[{{{{ 1e5 -0"')).toEqual({ depth: 0, values: 1, hasPlainNumbers: true, hasPlainTexts: true })
  fc.assert(
    fc.property(written, (text) => {
      let values = 0
      JSON.parse(text, () => {
        values += 1
      })
      expect(shapeOf(text).values).toBeGreaterThanOrEqual(values)
    }),
  )
})
