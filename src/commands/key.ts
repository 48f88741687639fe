/** `nightshift key`: creates, lists and revokes API keys. */
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { createApiKey, listApiKeys, revokeApiKey, SCOPES, type Scope } from '../store/api-keys.ts'
import { openDb } from '../store/db.ts'
import { type Command, readArguments, say, UsageError } from './command.ts'

const USAGE = `nightshift key create --client NAME --scopes SCOPE[,SCOPE…] [--expires-in-days N]
nightshift key list
nightshift key revoke ID

scopes: submit (send tasks), read (its own tasks), operate (everybody's tasks: read, retry, cancel), admin (all)
A key is shown once, when it is created: only its hash is kept. Revoked keys stop working within 30 seconds.`

function readScopes(text: string | undefined): Scope[] {
  const words = (text ?? '').split(',').map((word) => word.trim())
  for (const word of words) {
    if (!SCOPES.includes(word as Scope)) {
      throw new UsageError(`--scopes takes ${SCOPES.join(', ')} joined by commas, not "${word}"`)
    }
  }
  return words as Scope[]
}

function readClient(text: string | undefined): string {
  if (text === undefined || !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) {
    throw new UsageError('--client takes a name of 1-64 characters a-z, 0-9, dot, dash and underscore, such as billing')
  }
  return text
}

function readExpiry(text: string | undefined): Date | null {
  if (text === undefined) return null
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > 3_650) throw new UsageError('--expires-in-days takes 1 to 3650')
  return new Date(Date.now() + days * 86_400_000)
}

export const command: Command = {
  summary: 'create, list and revoke API keys',
  usage: USAGE,
  async run(words) {
    const { values, positionals } = readArguments(words, {
      client: { type: 'string' },
      scopes: { type: 'string' },
      'expires-in-days': { type: 'string' },
    })
    const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
    const db = openDb({ url: databaseUrl, poolSize: 1, name: 'key', log: silentLog })
    try {
      const [action, id] = positionals
      if (action === 'create') {
        say(
          await createApiKey(
            db,
            readClient(values.client),
            readScopes(values.scopes),
            readExpiry(values['expires-in-days']),
          ),
        )
        return 0
      }
      if (action === 'list') {
        for (const key of await listApiKeys(db)) {
          const state = key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt < new Date() ? 'expired' : 'live'
          say(`${key.id}  ${key.client}  ${key.scopes.join(',')}  ${state}  created ${key.createdAt.toISOString()}`)
        }
        return 0
      }
      if (action === 'revoke' && id !== undefined) {
        const client = await revokeApiKey(db, id)
        say(
          client === undefined ? `no live key has the id ${id}: see nightshift key list` : `revoked a key of ${client}`,
        )
        return client === undefined ? 1 : 0
      }
      throw new UsageError('say what to do: create, list, or revoke ID')
    } finally {
      await db.close()
    }
  },
}
