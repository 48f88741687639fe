// What the tests wait with must itself give up in time, and say what it waited for.
import { expect, test } from 'vitest'
import { until } from './until.ts'

test('the first value that is something is returned, zero and the empty string included', async () => {
  const values = [undefined, null, false, 0] as const
  let asked = 0

  const value = await until('a value', () => values[asked++], { everyMs: 1 })

  expect(value).toBe(0)
  expect(asked).toBe(4)
})

test('a probe that throws is asked again', async () => {
  let asked = 0

  const value = await until(
    'the third time',
    async () => {
      if (++asked < 3) throw new Error('not yet')
      return asked
    },
    { everyMs: 1 },
  )

  expect(value).toBe(3)
})

test('the error names what was waited for and what was seen last', async () => {
  await expect(until('pigs to fly', () => false, { withinMs: 10, everyMs: 1 })).rejects.toThrow(
    'waited 10 ms for pigs to fly; last seen: false',
  )
})

test('the error carries the error seen last', async () => {
  const refused = new Error('refused')
  const waiting = until('an answer', () => Promise.reject(refused), { withinMs: 10, everyMs: 1 })

  await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining('Error: refused'), cause: refused })
})
