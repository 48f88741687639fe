// What a client or a server says cannot move, wipe or turn round what stands on an operator's screen.
import { expect, test } from 'vitest'
import { visible, visibleJson } from '../../src/core/visible.ts'

test.for([
  ['wipes the screen', '\u001b[2J\u001b[H', '\\u001b[2J\\u001b[H'],
  ['writes to the clipboard (OSC 52)', '\u001b]52;c;cm0gLXJm\u0007', '\\u001b]52;c;cm0gLXJm\\u0007'],
  ['does it with one character of 8 bits', '\u009b2J', '\\u009b2J'],
  ['begins a forged line', 'ok\n2026-01-01 all is well\r\t', 'ok\\u000a2026-01-01 all is well\\u000d\\u0009'],
  ['turns the order round', 'user\u202etxt.exe\u2066\u061c', 'user\\u202etxt.exe\\u2066\\u061c'],
  ['hides words (zero width, tags)', 'a\u200bb\u{e0041}', 'a\\u200bb\\udb40\\udc41'],
  ['ends a line for some', 'a\u2028b\u2029c\u0085d', 'a\\u2028b\\u2029c\\u0085d'],
  ['is half a character', 'a\ud800b', 'a\\ud800b'],
  ['is only foreign', '日本 שלום é 🦉', '日本 שלום é 🦉'],
])('text that %s', ([, text, shown]) => {
  expect(visible(text as string)).toBe(shown)
})

test('JSON stays the same JSON', () => {
  const answer = { error: 'a\u001b[2J\u009b\u202e\u{e0041}\n"', many: ['日本', 1.5] }
  const shown = visibleJson(JSON.stringify(answer, undefined, 2))

  expect(JSON.parse(shown)).toEqual(answer)
  expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})
