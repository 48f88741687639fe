/** One text for one JSON value (RFC 8785), so that equal bodies have equal hashes whatever the order of their keys. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** Hashes a JSON value: SHA-256 of its canonical text, 64 hexadecimal characters. `value` must have no lone surrogate. */
export function hashOf(value: object): string {
  return createHash('sha256')
    .update(canonicalize(value) as string)
    .digest('hex')
}
