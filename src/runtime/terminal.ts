/** The one place that writes to a terminal. Whatever a line quotes, it stays one line and moves nothing but the cursor. */
import { visible, visibleJson } from '../core/visible.ts'

/** Writes lines to standard output: the answer of a command. */
export function say(...lines: readonly string[]): void {
  process.stdout.write(joined(lines))
}

/** Writes lines to standard error: what went wrong. */
export function complain(...lines: readonly string[]): void {
  process.stderr.write(joined(lines))
}

/** Writes an answer as JSON. Dates become ISO 8601 in UTC. */
export function sayJson(answer: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(answer, undefined, 2))}\n`)
}

/** Splits a text of ours that has several lines, such as a message that lists problems. */
export function linesOf(text: string): string[] {
  return text.split('\n')
}

const joined = (lines: readonly string[]): string => lines.map((line) => `${visible(line)}\n`).join('')
