// The generated parts of the documentation are what the code says now, and every test of test/path/ says its promise.
import { expect, test } from 'vitest'
import { generatedPages, readPromises } from '../../scripts/docs.ts'
import { SETTINGS } from '../../src/runtime/settings.ts'

const pages = new Map(generatedPages().map((page) => [page.path, page]))

test.each([...pages.keys()])('%s is what `make docs` writes', (path) => {
  expect(pages.get(path)?.isText, 'run `make docs`').toBe(pages.get(path)?.shouldBe)
})

test('docs/settings.md names every setting once', () => {
  const text = pages.get('docs/settings.md')?.isText ?? ''

  for (const { name } of Object.values(SETTINGS)) expect(text.split(`| \`${name}\` |`)).toHaveLength(2)
})

test('every test in test/path/ begins with the promise that it holds', () => {
  expect(readPromises().filter(({ text }) => text === undefined)).toEqual([])
})
