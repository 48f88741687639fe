// Since when: what is not plainly a moment or a bounded duration is refused, because what it was taken for chose more.
import { expect, test } from 'vitest'
import { sinceOf } from '../../src/core/since.ts'

const NOW = new Date('2026-06-01T12:00:00Z')

test.for([
  ['90s', '2026-06-01T11:58:30.000Z'],
  ['2h', '2026-06-01T10:00:00.000Z'],
  ['3650d', '2016-06-03T12:00:00.000Z'],
  ['2026-01-31T03:00:00Z', '2026-01-31T03:00:00.000Z'],
  ['2026-01-31T03:00+01:00', '2026-01-31T02:00:00.000Z'],
  ['2024-02-29T23:59:59.999-23:59', '2024-03-01T23:58:59.999Z'],
])('%s is %s', ([text, at]) => {
  expect(sinceOf(text as string)?.(NOW).toISOString()).toBe(at)
})

test.for([
  '5',
  'release 1.4',
  '',
  '2h ',
  '-2h',
  '2H',
  '1.5h',
  '3651d',
  '5000000d',
  '999999999999d',
  '2026-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T25:00:00Z',
  '2026-01-01T00:00:00+25:00',
  '2026-01-31',
  '2026-01-31T03:00:00',
  '2026-01-31 03:00:00Z',
  '1999-12-31T23:59:59Z',
  '0000-01-01T00:00:00Z',
  '+012026-01-31T03:00:00Z',
  '31 January 2026',
])('"%s" is refused', (text) => {
  expect(sinceOf(text)).toBeUndefined()
})
