/** What an error of PostgreSQL, or of the way to it, says about whose fault it is and whether to repeat. Pure. */

/** Errors of PostgreSQL have a five-character SQLSTATE; errors of the socket have a Node.js code. */
export function sqlState(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENOENT',
])
const CLIENT_TEXTS =
  /timeout exceeded when trying to connect|Query read timeout|Connection terminated|Client has encountered a connection error|not queryable|Cannot use a pool after calling end/i

/**
 * Tells whether PostgreSQL was away or went away, so that whether the statement took effect is not known:
 * connection exceptions (08), operator intervention (57P), read-only after a failover (25006), too many clients
 * (53300), a missing partition, or the client gave up waiting.
 */
export function isOutage(error: unknown): boolean {
  const code = sqlState(error)
  if (code !== undefined) {
    if (
      isPartitionMissing(error) ||
      /^08|^57P/.test(code) ||
      code === '25006' ||
      code === '53300' ||
      SOCKET_CODES.has(code)
    )
      return true
  }
  return error instanceof Error && CLIENT_TEXTS.test(error.message)
}

/** Serialization failure or deadlock: the same transaction may succeed when it is repeated. */
export function isConflict(error: unknown): boolean {
  const code = sqlState(error)
  return code === '40001' || code === '40P01'
}

/** The data of one row may be the cause (data exception, constraint, program limit), so its neighbours may be fine. */
export function isDataFault(error: unknown): boolean {
  return /^(?:22|23|54)/.test(sqlState(error) ?? '') && !isPartitionMissing(error)
}

/** No partition takes the row: PostgreSQL says so as a check violation that names no constraint. It is our fault. */
export function isPartitionMissing(error: unknown): boolean {
  return sqlState(error) === '23514' && (error as { constraint?: string }).constraint === undefined
}
