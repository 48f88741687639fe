/** One text for one JSON value, so that equal bodies have equal hashes whatever the order of their keys. */
import { createHash } from 'node:crypto'

/** Writes JSON with the keys of every object in code-unit order. `value` must be plain JSON of bounded depth. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}

/** Hashes a JSON value: SHA-256 of its canonical text, 64 hexadecimal characters. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}
