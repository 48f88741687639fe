/** The filter that `dead-letters` and `redrive` share. */
import { FAILURE_REASONS } from '../core/states.ts'
import type { DeadLetterFilter } from '../store/moves/operate.ts'
import { readMoment, UsageError } from './command.ts'

export const FILTER_OPTIONS = {
  name: { type: 'string' },
  queue: { type: 'string' },
  client: { type: 'string' },
  fingerprint: { type: 'string' },
  reason: { type: 'string' },
  since: { type: 'string' },
} as const

export const FILTER_USAGE = `
filter:
  --name TASK           such as conversation.ended
  --queue QUEUE         such as conversations
  --client CLIENT       whose tasks
  --fingerprint HEX     one group of errors
  --reason REASON       ${FAILURE_REASONS.join(', ')}
  --since WHEN          failed after a time such as 2026-01-31T03:00:00Z, or since 2h ago: 2h`

/** @throws UsageError naming the option */
export function readFilter(
  values: { readonly [Key in keyof typeof FILTER_OPTIONS]?: string | undefined },
): DeadLetterFilter {
  const { since, ...words } = values
  if (words.reason !== undefined && !(FAILURE_REASONS as readonly string[]).includes(words.reason)) {
    throw new UsageError(`--reason takes one of ${FAILURE_REASONS.join(', ')}, not "${words.reason}"`)
  }
  const failedAfter = readMoment('since', since)
  const given = Object.fromEntries(
    (['name', 'queue', 'client', 'fingerprint', 'reason'] as const).flatMap((key) => {
      const value = words[key]
      return value === undefined ? [] : [[key, value]]
    }),
  )
  return { ...given, ...(failedAfter ? { failedAfter } : {}) }
}
