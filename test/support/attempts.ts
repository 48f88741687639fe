// The steps of the consumer in this process, on a real PostgreSQL: the test is the broker, and sees how it is answered.
import { type ContractInput, defineTask, type HandlerContext, handlerOf } from 'nightshift-tasks'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import type { Delivery } from '../../src/broker/delivery.ts'
import { ConsumerLife } from '../../src/consumer/life.ts'
import { Steps } from '../../src/consumer/steps.ts'
import { encodeWakeUp, type WakeUp } from '../../src/core/message.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openDb } from '../../src/store/db.ts'
import { accept } from '../../src/store/moves/accept.ts'
import { aTask } from './a-task.ts'
import { aDatabase, sqlUrl } from './database.ts'
import type { FaultProxy } from './fault-proxy.ts'
import { aProxyTo } from './postgres-wire.ts'

export interface Delivered {
  /** What the broker was told so far; undefined while nothing was said. */
  readonly answer: 'ack' | 'reject' | 'requeue' | undefined
  /** Resolves when the steps are through with it. */
  readonly done: Promise<void>
}

export interface TestSteps {
  readonly steps: Steps
  readonly life: ConsumerLife
  /** Between the steps and PostgreSQL. */
  readonly proxy: FaultProxy
  readonly draining: AbortController
  /** Accepts a task of the test's own type, whose message has been published, and returns its id. */
  submit(): Promise<string>
  /** Delivers a wake-up, or whatever the body says; `type` is the message's own. */
  deliver(wakeUp: Partial<WakeUp> & Pick<WakeUp, 'id'>, message?: { body?: Buffer; type?: string }): Delivered
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
}

export interface StepsInput {
  readonly handle: (context: HandlerContext<unknown>) => unknown
  readonly effects?: ContractInput<z.ZodType>['effects']
}

const NAME = 'test.run'
const SLOTS = new Map([['trial', 8]])

/** Begins a life whose one task type runs `handle`. All is taken down when the test ends. */
export async function someSteps({ handle, effects = 'database' }: StepsInput): Promise<TestSteps> {
  const database = await aDatabase()
  const proxy = await aProxyTo(database.url)
  const url = proxy.url(database.url)
  const [db, leaseDb, effectsDb] = ['claims', 'lease', 'effects'].map((name) =>
    openDb({ url, poolSize: 2, name, log: silentLog }),
  ) as [ReturnType<typeof openDb>, ReturnType<typeof openDb>, ReturnType<typeof openDb>]
  const pool = new pg.Pool({ connectionString: sqlUrl(database.url), max: 2 })
  pool.on('error', () => undefined)
  const ownDb = openDb({ url: database.url, poolSize: 1, name: 'test', log: silentLog })
  const contract = defineTask({ name: NAME, summary: 'For the test.', payload: z.unknown(), queue: 'trial', effects })
  const handlers = new Map([[NAME, handlerOf(contract, handle)]])
  const life = await ConsumerLife.open({
    ...{ db: leaseDb, name: 'test', version: '0', queues: SLOTS, tasks: [NAME], leaseSeconds: 60, log: silentLog },
  })
  const draining = new AbortController()
  const steps = new Steps({
    ...{ life, handlers, queues: SLOTS, db, effectsDb, ladderMs: [1_000], log: silentLog, draining: draining.signal },
  })
  onTestFinished(async () => {
    draining.abort()
    life.close()
    await proxy.stop()
    await steps.idle()
    await Promise.all([db, leaseDb, effectsDb, ownDb].map((each) => each.close()))
    await pool.end()
    await database.drop()
  })
  return {
    ...{ steps, life, proxy, draining },
    async submit() {
      const task = aTask({ name: NAME, queue: 'trial' })
      await accept(ownDb, [task], 0, 'test')
      // Published.
      await pool.query('delete from outbox where task_id = $1', [task.id])
      return task.id
    },
    deliver: (wakeUp, message) => deliverTo(steps, { attempt: 1, alone: false, ...wakeUp }, message),
    sql: async (text, values = []) => (await pool.query(text, values)).rows,
  }
}

function deliverTo(steps: Steps, wakeUp: WakeUp, message: { body?: Buffer; type?: string } = {}): Delivered {
  let answer: Delivered['answer']
  const say = (what: NonNullable<Delivered['answer']>) => (): void => {
    answer ??= what
  }
  const delivery: Delivery = {
    queue: 'trial',
    body: message.body ?? encodeWakeUp(wakeUp),
    taskName: message.type ?? NAME,
    publishedAt: undefined,
    origin: undefined,
    gone: new AbortController().signal,
    ack: say('ack'),
    reject: say('reject'),
    requeue: say('requeue'),
  }
  const done = steps.handle(delivery)
  return {
    done,
    get answer() {
      return answer
    },
  }
}
