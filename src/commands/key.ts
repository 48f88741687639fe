/** `nightshift key`: creates, lists and revokes API keys. */
import { InvalidArgumentError } from 'commander'
import { say, sayJson } from '../runtime/terminal.ts'
import { type ApiKeyView, createApiKey, listApiKeys, revokeApiKey, SCOPES, type Scope } from '../store/api-keys.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { asJson, type Define, wholeNumber, withDatabase } from './command.ts'

const DAY_MS = 86_400_000
const SCOPE_HELP = `
Scopes:
  submit    send tasks
  read      read its own tasks
  operate   read, retry and cancel the tasks of every client
  admin     all of it`

export const define: Define = (nightshift) => {
  const key = nightshift
    .command('key')
    .summary('create, list and revoke API keys')
    .description('Creates, lists and revokes API keys. A revoked key stops working within 30 seconds.')
    .addHelpText('after', SCOPE_HELP)
  key
    .command('create')
    .description('Creates a key and prints it. It is shown this once: only its hash is stored.')
    .requiredOption('--client <name>', 'client that the key belongs to', readClient)
    .requiredOption('--scopes <scopes>', 'scopes joined by commas', readScopes)
    .option('--expires-in-days <days>', 'days until it stops working; without it never', wholeNumber(1, 3_650))
    .addOption(asJson())
    .addHelpText('after', `${SCOPE_HELP}\n\nExample:\n  nightshift key create --client shop --scopes submit,read`)
    .action(create)
  key.command('list').description('Lists all keys, without their secrets.').addOption(asJson()).action(list)
  key
    .command('revoke')
    .description('Revokes a key.')
    .argument('<id>', 'id of the key, as `key list` prints it')
    .addOption(asJson())
    .action(revoke)
}

function readScopes(text: string): Scope[] {
  const words = text.split(',').map((word) => word.trim())
  const unknown = words.find((word) => !SCOPES.includes(word as Scope))
  if (unknown === undefined) return words as Scope[]
  throw new InvalidArgumentError(`Give ${SCOPES.join(', ')} joined by commas, not "${unknown}".`)
}

function readClient(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) return text
  throw new InvalidArgumentError('Give a name of 1-64 characters a-z, 0-9, dot, dash and underscore, such as billing.')
}

interface CreateOptions {
  readonly client: string
  readonly scopes: readonly Scope[]
  readonly expiresInDays?: number
  readonly json?: true
}

async function create({ client, scopes, expiresInDays, json }: CreateOptions): Promise<void> {
  const { key, expiresAt } = await withDatabase({ name: 'key' }, async (db) => {
    const now = await databaseTime(db)
    const end = expiresInDays === undefined ? null : new Date(now.getTime() + expiresInDays * DAY_MS)
    return { key: await createApiKey(db, client, scopes, end), expiresAt: end }
  })
  if (json) sayJson({ key, client, scopes, expiresAt })
  else say(key)
}

async function list({ json }: { json?: true }): Promise<void> {
  const keys = await withDatabase({ name: 'key' }, async (db) => {
    const now = await databaseTime(db)
    return (await listApiKeys(db)).map((key) => ({ ...key, state: stateOf(key, now) }))
  })
  if (json) return sayJson({ keys })
  for (const key of keys) {
    say([key.id, key.client, key.scopes.join(','), key.state, `created ${key.createdAt.toISOString()}`].join('  '))
  }
}

function stateOf({ revokedAt, expiresAt }: ApiKeyView, now: Date): 'live' | 'expired' | 'revoked' {
  if (revokedAt) return 'revoked'
  return expiresAt && expiresAt <= now ? 'expired' : 'live'
}

async function revoke(id: string, { json }: { json?: true }): Promise<void> {
  const client = await withDatabase({ name: 'key' }, (db) => revokeApiKey(db, id))
  process.exitCode = client === undefined ? 1 : 0
  if (json) sayJson({ id, revoked: client !== undefined, client: client ?? null })
  else
    say(client === undefined ? `no live key has the id ${id}: see nightshift key list` : `revoked a key of ${client}`)
}
