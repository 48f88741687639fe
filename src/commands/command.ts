/** What a command is, and the helpers to read its arguments. A wrong argument ends with 2 and names the fix. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

export interface Command {
  /** One line of `nightshift --help`. */
  readonly summary: string
  /** The text of `nightshift <command> --help`. */
  readonly usage: string
  /** Runs with the words after the command's name; resolves with the exit code. */
  run(words: readonly string[]): Promise<number>
}

/** Thrown for arguments that cannot be meant; the message says what is wrong and what would be right. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Reads options and positional words strictly. @throws UsageError */
export function readArguments<Options extends ParseArgsOptionsConfig>(words: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Reads a moment: ISO 8601, or a duration back from now such as `2h`. @throws UsageError */
export function readMoment(option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const back = /^(\d{1,9})(s|m|h|d)$/.exec(text)
  if (back) {
    const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[back[2] as 's' | 'm' | 'h' | 'd']
    return new Date(Date.now() - Number(back[1]) * unitMs)
  }
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) {
    throw new UsageError(
      `--${option} takes a time such as 2026-01-31T03:00:00Z, or how long ago such as 2h; not "${text}"`,
    )
  }
  return at
}

/** Writes to standard output: what a command answers. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
