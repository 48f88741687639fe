/** `nightshift dead-letters`: shows FAILED tasks, grouped by error. */
import { linesOf, say, sayJson } from '../runtime/terminal.ts'
import type { Db } from '../store/db.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { type DeadLetterFilter, groupDeadLetters, listDeadLetters } from '../store/reads/dead-letters.ts'
import { asJson, type Define, withDatabase } from './command.ts'
import { addFilter, type FilterOptions, filterOf } from './dead-letter-filter.ts'

const MOST_LISTED = 200

interface Options extends FilterOptions {
  readonly list?: true
  readonly json?: true
}

export const define: Define = (nightshift) => {
  const command = nightshift
    .command('dead-letters')
    .summary('show FAILED tasks, grouped by error')
    .description('Groups the dead letters by task type and error, the largest group first.')
    .option('--list', `show the tasks with error and stack instead, oldest failure first, at most ${MOST_LISTED}`)
  addFilter(command)
    .addOption(asJson())
    .addHelpText(
      'after',
      '\nExamples:\n  nightshift dead-letters --since 2h\n  nightshift dead-letters --list --reason crash',
    )
    .action((options: Options) =>
      withDatabase({ name: 'dead-letters', queryTimeoutMs: 60_000 }, async (db) =>
        (options.list ? list : group)(db, filterOf(options, await databaseTime(db)), options.json === true),
      ),
    )
}

async function list(db: Db, filter: DeadLetterFilter, json: boolean): Promise<void> {
  const letters = await listDeadLetters(db, filter, MOST_LISTED)
  if (json) return sayJson({ deadLetters: letters })
  for (const { id, failedAt, name, client, reason, fingerprint, error } of letters) {
    say([id, failedAt.toISOString(), name, client, reason, fingerprint].join('  '))
    say(...linesOf(error.stack ?? `${error.name}: ${error.message}`).map((line) => `  ${line}`))
  }
}

async function group(db: Db, filter: DeadLetterFilter, json: boolean): Promise<void> {
  const groups = await groupDeadLetters(db, filter)
  if (json) return sayJson({ groups })
  if (groups.length === 0) say('no dead letters')
  for (const { tasks, fingerprint, name, error, oldest, newest } of groups) {
    say(`${String(tasks).padStart(8)}  ${fingerprint}  ${name}  ${error}`)
    say(`          ${oldest.toISOString()} to ${newest.toISOString()}`)
  }
}
