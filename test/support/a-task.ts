// Makes tasks for tests that speak to the store directly.
import { v7 } from 'uuid'
import type { NewTask } from '../../src/core/new-task.ts'

/** A task that is due at once, with what is said changed. */
export function aTask(change: Partial<NewTask> = {}): NewTask {
  return {
    id: v7(),
    name: 'trial.echo',
    queue: 'trial',
    client: 'tests',
    requestId: `request-${v7()}`,
    traceId: '0'.repeat(31).concat('1'),
    traceparent: `00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-00`,
    tracestate: null,
    userId: null,
    tags: null,
    payload: '{"hello":"world"}',
    maxAttempts: null,
    runAt: null,
    delayMs: null,
    expiresAfterMs: null,
    ahead: null,
    keys: [],
    ...change,
  }
}
