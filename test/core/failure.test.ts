// Promise: whatever a handler throws becomes a record that can be stored, read and grouped.
import { expect, test } from 'vitest'
import { failureOf, fingerprintOf } from '../../src/core/failure.ts'

const nasty = Object.create(Error.prototype, {
  message: {
    get: () => {
      throw new Error('a getter that throws')
    },
  },
})
const THROWN = [
  { what: 'a string', thrown: 'just text', message: 'a handler threw string: just text' },
  { what: 'null', thrown: null, message: 'a handler threw object: null' },
  { what: 'undefined', thrown: undefined, message: 'a handler threw undefined: undefined' },
  { what: 'a frozen error', thrown: Object.freeze(new Error('frozen')), message: 'frozen' },
  { what: 'an error whose message throws', thrown: nasty, message: '(no message)' },
  { what: 'an object without a message', thrown: { some: 'thing' }, message: '(no message)' },
  { what: 'an error with NUL', thrown: new Error('a\u0000b'), message: 'a\ufffdb' },
]

test.each(THROWN)('$what is described', ({ thrown, message }) => {
  expect(failureOf(thrown).message).toBe(message)
})

test('the cause of an error is kept', () => {
  expect(failureOf(new Error('outer', { cause: new TypeError('inner') })).cause).toBe('TypeError: inner')
})

test('a message of a megabyte is cut and says so', () => {
  const { message } = failureOf(new Error('x'.repeat(1_000_000)))
  expect(message).toMatch(/^x{2000}… \(998000 more characters\)$/)
})

test('failures of the same kind at the same place are one group, whatever ids and numbers they name', () => {
  const at = '\n    at send (file:///app/src/mail.ts:10:5)'
  const one = {
    name: 'Error',
    message: 'user 17 of "eu" not found: 6f1c2b9e-8a3d-4f0e-9b1a-2c3d4e5f6a7b',
    stack: `Error${at}`,
  }
  const two = {
    name: 'Error',
    message: 'user 9 of "us" not found: 11111111-2222-3333-4444-555555555555',
    stack: `Error${at}`,
  }

  expect(fingerprintOf(one)).toBe(fingerprintOf(two))
})

test('failures of another kind, text or place are other groups', () => {
  const base = { name: 'Error', message: 'not found', stack: 'Error\n    at send (file:///app/src/mail.ts:10:5)' }
  const others = [
    base,
    { ...base, name: 'TypeError' },
    { ...base, message: 'refused' },
    { ...base, stack: 'Error\n    at receive (file:///app/src/mail.ts:20:5)' },
  ]

  expect(new Set(others.map(fingerprintOf)).size).toBe(others.length)
})
