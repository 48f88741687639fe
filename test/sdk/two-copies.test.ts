// Promise: a pack may bring its own copy of the SDK: the platform knows its pack, its errors and what they ask for.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as own from 'nightshift-tasks'
import { afterAll, expect, test } from 'vitest'
import { verdictOf } from '../../src/core/retry.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightshift-sdk-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
cpSync(fileURLToPath(new URL('../../sdk/node/src', import.meta.url)), folder, { recursive: true })
const copy = (await import(pathToFileURL(join(folder, 'index.ts')).href)) as typeof own

const LADDER = [1_000, 2_000]

test('the copy has classes of its own', () => {
  expect(new copy.NonRetryable('x')).not.toBeInstanceOf(own.NonRetryable)
})

test('its NonRetryable ends the task', () => {
  expect(verdictOf(new copy.NonRetryable('x'), 1, LADDER, null)).toEqual({ next: 'failed', reason: 'non_retryable' })
})

test('its NotBefore sets the wait', () => {
  expect(verdictOf(new copy.NotBefore('x', 5_000), 1, LADDER, null)).toEqual({ next: 'not_before', delayMs: 5_000 })
})

test('each copy knows the errors and the packs of the other', () => {
  for (const [one, other] of [
    [own, copy],
    [copy, own],
  ] as const) {
    expect(one.isAborted(new other.Aborted('drain'))).toBe(true)
    expect(one.isNotBefore(new other.NotBefore('x', 1))).toBe(true)
    expect(one.isNonRetryable(new other.NonRetryable('x'))).toBe(true)
    expect(one.isPack(other.definePack({ name: 'mail', contracts: [] }))).toBe(true)
  }
})

test('nothing else is taken for one of them, whatever is thrown', () => {
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
    },
  )
  const named = Object.assign(new Error('x'), { name: 'NonRetryable' })
  for (const thrown of [undefined, null, 'NonRetryable', new Error('x'), named, hostile, new own.NotBefore('x', 1)]) {
    expect(own.isNonRetryable(thrown)).toBe(false)
    expect(own.isAborted(thrown)).toBe(false)
  }
})
