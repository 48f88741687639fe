/** The filter that `dead-letters` and `redrive` share. */
import { type Command, Option } from 'commander'
import type { Since } from '../core/since.ts'
import { FAILURE_REASONS, type FailureReason } from '../core/states.ts'
import type { DeadLetterFilter } from '../store/reads/dead-letters.ts'
import { readSince } from './command.ts'

export interface FilterOptions {
  readonly name?: string
  readonly queue?: string
  readonly client?: string
  readonly fingerprint?: string
  readonly reason?: FailureReason
  readonly since?: Since
}

/** Adds the options of the filter to a command. */
export function addFilter(command: Command): Command {
  return command
    .option('--name <task>', 'task type')
    .option('--queue <queue>', 'queue')
    .option('--client <client>', 'client that submitted the tasks')
    .option('--fingerprint <hex>', 'one group of errors, as dead-letters prints it')
    .addOption(new Option('--reason <reason>', 'why the tasks failed').choices(FAILURE_REASONS))
    .option('--since <when>', 'failed after a time such as 2026-01-31T03:00:00Z, or ago, such as 2h', readSince)
}

/** @param now by the clock of the failures, which is the database's */
export function filterOf(
  { name, queue, client, fingerprint, reason, since }: FilterOptions,
  now: Date,
): DeadLetterFilter {
  return {
    ...(name === undefined ? {} : { name }),
    ...(queue === undefined ? {} : { queue }),
    ...(client === undefined ? {} : { client }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(reason === undefined ? {} : { reason }),
    ...(since === undefined ? {} : { failedAfter: since(now) }),
  }
}
