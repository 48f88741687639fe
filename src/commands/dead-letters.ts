/** `nightshift dead-letters`: shows what is FAILED, grouped by error. */
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { openDb } from '../store/db.ts'
import { groupDeadLetters, listDeadLetters } from '../store/moves/operate.ts'
import { type Command, readArguments, say } from './command.ts'
import { FILTER_OPTIONS, FILTER_USAGE, readFilter } from './dead-letter-filter.ts'

export const command: Command = {
  summary: 'show what is FAILED, grouped by error',
  usage: `nightshift dead-letters [--list] [filter]

Groups the dead letters by task and error, the largest group first. --list shows the tasks, oldest failure first, at
most 200, with error and stack.
${FILTER_USAGE}`,
  async run(words) {
    const { values } = readArguments(words, { ...FILTER_OPTIONS, list: { type: 'boolean' } })
    const filter = readFilter(values)
    const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
    const db = openDb({ url: databaseUrl, poolSize: 1, name: 'dead-letters', log: silentLog, queryTimeoutMs: 60_000 })
    try {
      if (values.list) {
        for (const letter of await listDeadLetters(db, filter, 200)) {
          say(
            `${letter.id}  ${letter.failedAt.toISOString()}  ${letter.name}  ${letter.client}  ${letter.reason}  ${letter.fingerprint}`,
          )
          say(`  ${(letter.error.stack ?? `${letter.error.name}: ${letter.error.message}`).replaceAll('\n', '\n  ')}`)
        }
        return 0
      }
      const groups = await groupDeadLetters(db, filter)
      if (groups.length === 0) say('no dead letters')
      for (const group of groups) {
        say(`${String(group.tasks).padStart(8)}  ${group.fingerprint}  ${group.name}  ${group.error}`)
        say(`          ${group.oldest.toISOString()} to ${group.newest.toISOString()}`)
      }
      return 0
    } finally {
      await db.close()
    }
  },
}
