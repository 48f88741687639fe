/** `nightshift migrate`: brings the database to the newest schema. */
import { readConfig } from '../runtime/config.ts'
import { migrate, newestMigration } from '../store/migrate.ts'
import { asJson, type Define, say, sayJson } from './command.ts'

export const define: Define = (nightshift) => {
  nightshift
    .command('migrate')
    .summary('bring the database to the newest schema')
    .description('Applies the missing migrations in order. Running it again does nothing.')
    .addOption(asJson())
    .action(async ({ json }: { json?: true }) => {
      const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
      const lines: string[] = []
      await migrate(databaseUrl, (line) => (json ? lines.push(line) : say(line)))
      if (json) sayJson({ done: lines, schema: newestMigration() })
      else say(`the schema is at ${newestMigration()}`)
    })
}
