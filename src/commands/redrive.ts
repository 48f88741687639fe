/** `nightshift redrive`: retries FAILED tasks, by filter and at a rate. */
import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { Actor } from '../core/caller.ts'
import { say, sayJson } from '../runtime/terminal.ts'
import { pause } from '../runtime/wait.ts'
import type { Db, Queryable } from '../store/db.ts'
import { redriveTasks } from '../store/moves/redrive.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import {
  type DeadLetterFilter,
  type DeadLetterGroup,
  groupDeadLetters,
  listDeadLetters,
} from '../store/reads/dead-letters.ts'
import { asJson, type Define, wholeNumber, withDatabase } from './command.ts'
import { addFilter, type FilterOptions, filterOf } from './dead-letter-filter.ts'
import { operatorName } from './operator.ts'

const PROGRESS_EVERY_MS = 5_000

interface Options extends FilterOptions {
  readonly dryRun?: true
  readonly all?: true
  readonly rate: number
  readonly reasonText?: string
  readonly json?: true
}

export const define: Define = (nightshift) => {
  const command = nightshift
    .command('redrive')
    .summary('retry FAILED tasks, by filter and at a rate')
    .description(
      'Retries FAILED tasks, oldest failure first. Ids, attempts and history stay; charged failures start at 0 again. Only\n' +
        'what had failed when the command began is sent, so a task that fails again is not sent twice.',
    )
    .option('--dry-run', 'only show what would be sent')
    .option('--all', 'send everything; required when no filter is given')
    .option('--rate <n>', 'tasks per second, 1 to 1000; the queue stays open for new tasks', wholeNumber(1, 1_000), 50)
    .option('--reason-text <text>', 'why, for the operations log')
  addFilter(command)
    .addOption(asJson())
    .addHelpText(
      'after',
      `
Examples:
  nightshift redrive --fingerprint 5d41402abc4b2a76 --dry-run
  nightshift redrive --name mail.send --since 2h --rate 10 --reason-text "the provider is back"`,
    )
    .action((options: Options, self: Command) => redrive(options, self))
}

async function redrive(options: Options, self: Command): Promise<void> {
  const isFiltered = Object.keys(filterOf(options, new Date())).length > 0
  if (!isFiltered && !options.all && !options.dryRun) {
    self.error('error: no filter is given: add one, or --all to send everything')
  }
  await withDatabase({ name: 'redrive', queryTimeoutMs: 60_000 }, async (db) => {
    const now = await databaseTime(db)
    const filter = { ...filterOf(options, now), failedBefore: now }
    const groups = await groupDeadLetters(db, filter)
    const total = groups.reduce((sum, { tasks }) => sum + tasks, 0)
    if (!options.json) preview(groups)
    const sent = options.dryRun ? 0 : await send(db, filter, options, total)
    if (options.json) sayJson({ groups, total, sent, dryRun: options.dryRun === true })
    else if (options.dryRun)
      say(`${total} tasks would be sent, ${options.rate}/s, in about ${Math.ceil(total / options.rate)} s`)
    else say(`${sent} tasks sent to retry`)
  })
}

function preview(groups: readonly DeadLetterGroup[]): void {
  for (const { tasks, name, error, fingerprint } of groups) {
    say(`${String(tasks).padStart(8)}  ${fingerprint}  ${name}  ${error}`)
  }
}

/** Sends in batches of a tenth of a second. A second run continues where an interrupted one stopped. */
async function send(db: Db, filter: DeadLetterFilter, options: Options, total: number): Promise<number> {
  const { rate, reasonText, json } = options
  const actor: Actor = { name: operatorName(), requestId: randomUUID(), reason: reasonText ?? null }
  let sent = 0
  let saidAt = Date.now()
  const began = performance.now()
  for (;;) {
    const ids = await nextBatch(db, filter, rate)
    if (ids.length === 0) return sent
    sent += (await redriveTasks(db, 'everybody', ids, actor)).length
    if (!json && Date.now() - saidAt > PROGRESS_EVERY_MS) {
      saidAt = Date.now()
      say(`${sent} of ${total} sent`)
    }
    await pause(Math.max(0, (sent / rate) * 1_000 - (performance.now() - began)))
  }
}

async function nextBatch(db: Queryable, filter: DeadLetterFilter, rate: number): Promise<string[]> {
  const letters = await listDeadLetters(db, filter, Math.max(1, Math.ceil(rate / 10)))
  return letters.map(({ id }) => id)
}
