// Promise: one place writes to the terminal, and a text that it quotes stays in its line and moves nothing.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { complain, linesOf, say, sayJson } from '../../src/runtime/terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HOSTILE = 'shelf\u001b[2J\nforged\u202e'

afterEach(() => vi.restoreAllMocks())

function written(stream: NodeJS.WriteStream, write: () => void): string {
  const texts: string[] = []
  vi.spyOn(stream, 'write').mockImplementation((text) => texts.push(String(text)) > 0)
  write()
  return texts.join('')
}

test('each line stays a line', () => {
  const shown = 'shelf\\u001b[2J\\u000aforged\\u202e\nb\n'

  expect(written(process.stdout, () => say(HOSTILE, 'b'))).toBe(shown)
  expect(written(process.stderr, () => complain(HOSTILE, ...linesOf('b')))).toBe(shown)
})

test('JSON shows what it holds, and reads back as it was', () => {
  const json = written(process.stdout, () => sayJson({ error: HOSTILE }))

  expect(JSON.parse(json)).toEqual({ error: HOSTILE })
  expect(json).toBe('{\n  "error": "shelf\\u001b[2J\\nforged\\u202e"\n}\n')
})

test('nothing else in the program writes to the terminal', () => {
  const others = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== join('runtime', 'terminal.ts'))
    .filter((path) => /\bconsole\.|process\.std(?:out|err)\.write/.test(readFileSync(join(ROOT, 'src', path), 'utf8')))

  expect(others).toEqual([])
})
