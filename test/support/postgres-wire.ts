// What a proxy before PostgreSQL looks for: one statement of Nightshift among the bytes of a connection.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
import { type FaultProxy, type Match, startFaultProxy } from './fault-proxy.ts'

/** Starts a proxy before the server of a URL. The test calls `stop`. */
export function aProxyTo(url: string): Promise<FaultProxy> {
  return startFaultProxy({ targetPort: Number(new URL(url).port) })
}

/** Sees the Bind of a named statement: every execution has one, the SQL text only the first per connection. */
export function execution(statement: string, having = ''): Match {
  return (bytes) => bytes.includes(`\0${statement}\0`) && bytes.includes(having)
}

/** Sees the COMMIT of a task's own transaction; a single statement commits by itself. */
export const commit: Match = (bytes) => bytes.includes('commit\0')

/** Sees ReadyForQuery outside a transaction: what was asked has been done and committed. */
export const done: Match = (bytes) => bytes.includes('Z\0\0\0\x05I')
