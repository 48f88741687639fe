/** `nightshift migrate`: brings the database to the newest schema. */
import { readConfig } from '../runtime/config.ts'
import { say, sayJson } from '../runtime/terminal.ts'
import { migrate, neededMigrations } from '../store/migrate.ts'
import { loadPacks } from '../types/packs.ts'
import { asJson, type Define } from './command.ts'

export const define: Define = (nightshift) => {
  nightshift
    .command('migrate')
    .summary('bring the database to the newest schema')
    .description(
      'Applies the missing migrations in order: those of the platform, then those of each pack that NIGHTSHIFT_PACKS names,\nin a schema of its own. Running it again does nothing.',
    )
    .addOption(asJson())
    .action(async ({ json }: { json?: true }) => {
      const { databaseUrl, packs } = readConfig(process.env, ['databaseUrl', 'packs'])
      const { schemas } = await loadPacks(packs)
      const lines: string[] = []
      await migrate(databaseUrl, schemas, (line) => (json ? lines.push(line) : say(line)))
      const schema = neededMigrations(schemas).join(', ')
      if (json) sayJson({ done: lines, schema })
      else say(`the schema is at ${schema}`)
    })
}
