/** Finds out who calls and whether they may. What a key vouches for is remembered for at most 30 s. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import { type Caller, SCOPES, type Scope, type Viewer } from '../core/caller.ts'
import { Problem } from './problem.ts'

export type FindCaller = (key: string) => Promise<Caller | undefined>

const REMEMBERED_MS = 30_000
const REMEMBERED_KEYS = 10_000
const CLIENT_ID = /^[A-Za-z0-9._:-]{1,64}$/

/** Tells who sent a request, at once where that is remembered. @throws Problem unauthenticated, or what the look-up throws */
export type Authenticate = (request: IncomingMessage) => Caller | Promise<Caller>

/**
 * Authenticates by `Authorization: Bearer <key>`. A revoked key works for up to 30 s more. Only keys that exist are
 * remembered, at most 10 000, so guessing fills no memory; a look-up that fails is not remembered.
 */
export function authenticateByKey(find: FindCaller, now: () => number = () => performance.now()): Authenticate {
  const known = new LRUCache<string, Caller | Promise<Caller | undefined>>({
    max: REMEMBERED_KEYS,
    // The cache lets go of what is older than its limit, we of what is as old.
    ttl: REMEMBERED_MS - 1,
    ttlResolution: 0,
    perf: { now },
  })

  function look(key: string): Caller | Promise<Caller | undefined> {
    // The digest, so that a dump of the memory shows no keys.
    const digest = createHash('sha256').update(key).digest('base64')
    const remembered = known.get(digest)
    if (remembered) return remembered
    const caller = find(key)
    known.set(digest, caller)
    const settle = (found?: Caller): void => {
      if (known.peek(digest) !== caller) return
      if (found) known.set(digest, found, { noUpdateTTL: true })
      else known.delete(digest)
    }
    caller.then(settle, () => settle())
    return caller
  }

  return (request) => {
    const key = /^Bearer +([\x21-\x7e]{1,200})$/i.exec(request.headers.authorization ?? '')?.[1]
    if (key === undefined) throw unauthenticated('send Authorization: Bearer <key>', 'Bearer realm="nightshift"')
    const caller = look(key)
    return caller instanceof Promise ? caller.then(foundCaller) : caller
  }
}

function foundCaller(caller: Caller | undefined): Caller {
  if (caller) return caller
  throw unauthenticated('the key is unknown, expired or revoked', 'Bearer realm="nightshift", error="invalid_token"')
}

/** Lets everybody in with all scopes, as the client named by `X-Client-Id` or `anonymous`: for trying out only. */
export const authenticateNobody: Authenticate = (request) => {
  const client = request.headers['x-client-id'] ?? 'anonymous'
  if (typeof client !== 'string' || !CLIENT_ID.test(client)) {
    throw new Problem('invalid-parameter', 'the header X-Client-Id must be 1-64 characters of A-Z a-z 0-9 . _ : -')
  }
  return { client, scopes: SCOPES }
}

/** Refuses a caller that has none of the scopes. @throws Problem missing-scope */
export function requireScope(caller: Caller, anyOf: readonly Scope[]): void {
  if (caller.scopes.includes('admin') || anyOf.some((scope) => caller.scopes.includes(scope))) return
  throw new Problem('missing-scope', `this needs a key with the scope ${anyOf.join(' or ')}`, {
    headers: {
      'www-authenticate': `Bearer realm="nightshift", error="insufficient_scope", scope="${anyOf.join(' ')}"`,
    },
  })
}

/** Says whose tasks a caller sees: its own, or with the scopes `operate` and `admin` everybody's. */
export function viewerOf(caller: Caller): Viewer {
  const seesAll = caller.scopes.includes('operate') || caller.scopes.includes('admin')
  return seesAll ? 'everybody' : { client: caller.client }
}

function unauthenticated(detail: string, challenge: string): Problem {
  return new Problem('unauthenticated', detail, { headers: { 'www-authenticate': challenge } })
}
