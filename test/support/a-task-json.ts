// Makes a task as the API tells of it, for tests of what is told.
import type { TaskJson } from '../../src/status/task-json.ts'

/** A task that was accepted at a moment, was due at once and has not begun, with what is said changed. */
export function aTaskJson(createdAt: string, change: Partial<TaskJson> = {}): TaskJson {
  return {
    id: '01890000-0000-7000-8000-000000000000',
    name: 'trial.echo',
    queue: 'trial',
    client: 'shop',
    status: 'PENDING',
    attempt: 0,
    failures: 0,
    crashes: 0,
    requestId: 'r',
    traceId: 't',
    userId: null,
    tags: [],
    createdAt,
    dueAt: createdAt,
    startedAt: null,
    finishedAt: null,
    expiresAt: null,
    progress: null,
    result: null,
    error: null,
    errorFingerprint: null,
    failureReason: null,
    statusUrl: '/',
    attempts: [],
    ...change,
  }
}
