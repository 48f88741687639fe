/** Reads `Prefer: wait=n` (RFC 7240): how long a client would rather wait for the end of a task than ask again. */
import type { Call } from './route.ts'

const MAX_WAIT_SECONDS = 30

/** @returns whole seconds from 1 to 30 (more is cut), or 0 when no wait is asked for */
export function waitSecondsOf(call: Call): number {
  const match = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(call.header('prefer') ?? '')
  return match ? Math.min(Number(match[1]), MAX_WAIT_SECONDS) : 0
}

/** Waits for the end of a task; resolves with whether it has ended. Ends early when `signal` aborts. */
export type WaitForEnd = (taskId: string, waitMs: number, signal: AbortSignal) => Promise<boolean>

/** Reads tasks for whoever prefers to wait; made by status/, handed to the gateway by roles/. */
export interface TaskReader {
  readonly waitForEnd: WaitForEnd
  /** Reads a task as `GET /api/v1/tasks/{id}` answers this caller, or nothing when it may not see one. */
  readTask(call: Call, id: string): Promise<object | undefined>
}
