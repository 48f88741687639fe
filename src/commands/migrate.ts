/** `nightshift migrate`: brings the database to the newest schema. */
import { readConfig } from '../runtime/config.ts'
import { migrate, newestMigration } from '../store/migrate.ts'
import { type Command, readArguments, say } from './command.ts'

export const command: Command = {
  summary: 'bring the database to the newest schema',
  usage:
    'nightshift migrate\n\nApplies what is missing of the numbered SQL files, in order. Doing it again does nothing.',
  async run(words) {
    readArguments(words, {})
    const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
    await migrate(databaseUrl, say)
    say(`the schema is at ${newestMigration()}`)
    return 0
  },
}
