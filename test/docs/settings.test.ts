// The table of docs/settings.md is the one in the code.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SETTINGS_PAGE, withSettings } from '../../scripts/docs.ts'
import { SETTINGS } from '../../src/runtime/settings.ts'

const page = readFileSync(SETTINGS_PAGE, 'utf8')

test('docs/settings.md is what `make docs` writes', () => {
  expect(page, 'run `make docs`').toBe(withSettings(page))
})

test('docs/settings.md names every setting once', () => {
  for (const { name } of Object.values(SETTINGS)) expect(page.split(`| \`${name}\` |`)).toHaveLength(2)
})
