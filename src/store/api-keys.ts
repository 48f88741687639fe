/** API keys: who may call. Only a SHA-256 of the secret is stored; a key has 256 bits, so a slow hash adds nothing. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Caller, Scope } from '../core/caller.ts'
import type { Queryable } from './db.ts'
import { bytes, nullable, type RowOf, statement, text, texts, time } from './statement.ts'

export { type Caller, SCOPES, type Scope } from '../core/caller.ts'

const KEY = /^ns_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/

const INSERT_KEY = statement({
  name: 'insert_key',
  text: 'insert into api_key (id, client, hash, scopes, expires_at) values ($1, $2, $3, $4, $5)',
  row: {},
})

/**
 * Makes a key for a client and returns it. It is shown this once: only its hash is kept.
 * @param expiresAt when it stops working, or null for never
 */
export async function createApiKey(
  db: Queryable,
  client: string,
  scopes: readonly Scope[],
  expiresAt: Date | null,
): Promise<string> {
  const id = randomBytes(6).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  await db.query(INSERT_KEY, [id, client, hashOf(secret), scopes, expiresAt])
  return `ns_${id}_${secret}`
}

const FIND_KEY = statement({
  name: 'find_key',
  text: `select client, hash, scopes from api_key
          where id = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`,
  row: { client: text(), hash: bytes(), scopes: texts<Scope>() },
})

/** Finds the caller that a key vouches for, comparing in constant time; nothing for an unknown, expired or revoked one. */
export async function findCaller(db: Queryable, key: string): Promise<Caller | undefined> {
  const match = KEY.exec(key)
  if (!match) return undefined
  const rows = await db.query(FIND_KEY, [match[1]])
  const row = rows[0]
  const isRight = timingSafeEqual(row?.hash ?? Buffer.alloc(32), hashOf(match[2] as string))
  return row && isRight ? { client: row.client, scopes: row.scopes } : undefined
}

const REVOKE_KEY = statement({
  name: 'revoke_key',
  text: 'update api_key set revoked_at = clock_timestamp() where id = $1 and revoked_at is null returning client',
  row: { client: text() },
})

/** Revokes a key by its id (the part between the underscores). Returns whose it was, or nothing when none was live. */
export async function revokeApiKey(db: Queryable, id: string): Promise<string | undefined> {
  return (await db.query(REVOKE_KEY, [id]))[0]?.client
}

const LIST_KEYS = statement({
  name: 'list_keys',
  text: `select id, client, scopes, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"
           from api_key order by client, created_at`,
  row: {
    id: text(),
    client: text(),
    scopes: texts<Scope>(),
    createdAt: time(),
    expiresAt: nullable(time()),
    revokedAt: nullable(time()),
  },
})

export type ApiKeyView = RowOf<typeof LIST_KEYS>

/** Lists all keys without their secrets. */
export async function listApiKeys(db: Queryable): Promise<ApiKeyView[]> {
  return db.query(LIST_KEYS)
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
