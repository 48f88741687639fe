/**
 * `/health/live`, `/health/ready` and `/health/consumers`. Ready means that this process can accept: PostgreSQL answers
 * and is migrated. RabbitMQ does not count, because a task is accepted without it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { PackSchema } from '../core/task-types.ts'
import { type Answer, type Route, route } from '../http/route.ts'
import type { Readiness } from '../runtime/metrics-server.ts'
import { remembered } from '../runtime/wait.ts'
import type { Db } from '../store/db.ts'
import { missingMigrations } from '../store/migrate.ts'
import { consumersAlive } from '../store/reads/consumers.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { queueHealth } from '../store/reads/queues.ts'

export interface HealthRoutesOptions {
  readonly db: Db
  /** Of the packs: they must be migrated too. */
  readonly schemas: readonly PackSchema[]
  /** Tells how this process stands with the broker; must not wait. */
  readonly broker: () => { readonly connected: boolean; readonly detail: string }
}

const PATIENCE_MS = 2_000
/** These calls need no key, so what they cost is bounded: one look at the database a second, however many ask. */
const REMEMBERED_MS = 1_000

const readySchema = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.string()) })

const consumersSchema = z.object({
  ok: z.boolean(),
  problems: z.array(z.string()),
  broker: z.object({ connected: z.boolean(), detail: z.string() }),
  consumers: z.int().meta({ description: 'Consumers whose lease is alive.' }),
  queues: z.array(
    z.object({
      queue: z.string(),
      slots: z.int().meta({ description: 'Tasks that the living consumers run in parallel.' }),
      pending: z.int().meta({ description: 'Counted over at most 100 000 unfinished tasks.' }),
      running: z.int(),
      retrying: z.int(),
      oldestDueSeconds: z.number().nullable(),
    }),
  ),
})

/** Asks whether tasks can be accepted; answers within 2 s and never throws. Also for the metrics port of the api. */
export async function readinessOf(db: Db, schemas: readonly PackSchema[]): Promise<Readiness> {
  try {
    const check = async (): Promise<string> => {
      await databaseTime(db)
      const missing = await missingMigrations(db, schemas)
      return missing.length === 0 ? 'ok' : 'lacks migrations: run `nightshift migrate`'
    }
    const slow = sleep(PATIENCE_MS, 'does not answer within 2 s', { ref: false })
    const postgresql = await Promise.race([check(), slow])
    return { ready: postgresql === 'ok', checks: { postgresql } }
  } catch (error) {
    return {
      ready: false,
      checks: { postgresql: `does not answer: ${(error as { code?: string }).code ?? 'no connection'}` },
    }
  }
}

/** Makes the routes. */
export function createHealthRoutes({ db, schemas, broker }: HealthRoutesOptions): Route[] {
  const readiness = remembered(REMEMBERED_MS, () => readinessOf(db, schemas))
  const consumers = remembered(REMEMBERED_MS, () => consumersOf(db, broker))
  return [
    route({
      method: 'get',
      path: '/health/live',
      scopes: [],
      doc: {
        tag: 'Health',
        summary: 'The process answers',
        answers: { 200: { says: 'It does.', schema: { name: 'Live', schema: z.object({ live: z.literal(true) }) } } },
      },
      answer: async () => ({ status: 200, body: { live: true } }),
    }),
    route({
      method: 'get',
      path: '/health/ready',
      scopes: [],
      doc: {
        tag: 'Health',
        summary: 'Tasks can be accepted',
        answers: {
          200: { says: 'They can.', schema: { name: 'Readiness', schema: readySchema } },
          503: { says: 'They cannot; `checks` says why.', schema: 'Readiness' },
        },
      },
      answer: async () => {
        const body = await readiness()
        return { status: body.ready ? 200 : 503, body }
      },
    }),
    route({
      method: 'get',
      path: '/health/consumers',
      scopes: [],
      doc: {
        tag: 'Health',
        summary: 'Accepted tasks are worked on',
        description: 'For people and alerts, not for probes: restarting the api mends none of this.',
        answers: {
          200: { says: 'They are.', schema: { name: 'ConsumerHealth', schema: consumersSchema } },
          503: { says: 'They are not, or not all; `problems` says why.', schema: 'ConsumerHealth' },
        },
        problems: ['unavailable'],
      },
      answer: consumers,
    }),
  ]
}

async function consumersOf(db: Db, broker: HealthRoutesOptions['broker']): Promise<Answer> {
  const [alive, counts] = await Promise.all([consumersAlive(db), queueHealth(db)])
  const state = broker()
  const slots = new Map<string, number>()
  for (const { queues } of alive) {
    for (const [queue, count] of Object.entries(queues)) slots.set(queue, (slots.get(queue) ?? 0) + count)
  }
  const idle = { pending: 0, running: 0, retrying: 0, oldestDueSeconds: null }
  const queues = [...new Set([...slots.keys(), ...counts.map(({ queue }) => queue)])].sort().map((queue) => ({
    ...(counts.find((count) => count.queue === queue) ?? idle),
    queue,
    slots: slots.get(queue) ?? 0,
  }))
  const problems = [
    ...(state.connected
      ? []
      : [`the broker is not connected: ${state.detail}; tasks are accepted and wait in the outbox`]),
    ...(alive.length > 0 ? [] : ['no consumer is alive']),
    ...queues.filter((queue) => queue.slots === 0).map(({ queue }) => `queue ${queue} has tasks and no consumer`),
  ]
  const ok = problems.length === 0
  return { status: ok ? 200 : 503, body: { ok, problems, broker: state, consumers: alive.length, queues } }
}
