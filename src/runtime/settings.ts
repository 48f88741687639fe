/** The settings: one table of name, bounds, default and sentence. `make docs` writes docs/settings.md from here. */
import { hostname } from 'node:os'
import { checkLadder, QUEUE_PATTERN } from '../core/contract.ts'
import { parseDuration } from '../core/duration.ts'

export interface Setting<Value> {
  /** The environment variable. `<NAME>_FILE` may name a file that holds the value instead. */
  readonly name: string
  /** What is used when it is not set; absent when it must be set. */
  readonly fallback?: string
  readonly bounds: string
  readonly says: string
  readonly secret?: true
  /** @throws Error whose message follows the name: "must be …" */
  readonly parse: (text: string) => Value
}

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new Error(`must be a whole number from ${least} to ${most}, not "${text}"`)
    }
    return value
  }

const oneOf =
  <const Word extends string>(...words: Word[]) =>
  (text: string): Word => {
    if (!words.includes(text as Word)) throw new Error(`must be one of ${words.join(', ')}, not "${text}"`)
    return text as Word
  }

const urlOf =
  (...protocols: string[]) =>
  (text: string): string => {
    const url = URL.parse(text)
    if (!url || !protocols.includes(url.protocol)) {
      throw new Error(`must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`)
    }
    return text
  }

const durationBetween =
  (least: string, most: string) =>
  (text: string): number => {
    const refuse = (): never => {
      throw new Error(`must be a duration from ${least} to ${most} such as 90s, 5m or 24h, not "${text}"`)
    }
    try {
      const ms = parseDuration(text)
      return ms < parseDuration(least) || ms > parseDuration(most) ? refuse() : ms
    } catch {
      return refuse()
    }
  }

function ladder(text: string): readonly number[] {
  try {
    const rungs = text.split(',').map((rung) => parseDuration(rung.trim()))
    checkLadder(rungs, (what) => {
      throw new Error(what)
    })
    return rungs
  } catch (error) {
    throw new Error(`must be durations joined by commas, such as 1m,5m,30m: ${(error as Error).message}`)
  }
}

function queueSlots(text: string): ReadonlyMap<string, number> {
  const slots = new Map<string, number>()
  for (const part of text.split(',')) {
    const [queue = '', count = ''] = part.trim().split(':')
    if (!QUEUE_PATTERN.test(queue) || !/^\d+$/.test(count) || Number(count) < 1 || Number(count) > 2_000) {
      throw new Error(
        `must be queue:slots pairs joined by commas, such as conversations:20,documents:5 (slots 1-2000), not "${part}"`,
      )
    }
    slots.set(queue, Number(count))
  }
  return slots
}

const anyText = (text: string): string => text

export const SETTINGS = {
  databaseUrl: {
    name: 'DATABASE_URL',
    bounds: 'postgres:// URL',
    says: 'The PostgreSQL database, version 15 or later.',
    secret: true,
    parse: urlOf('postgres:', 'postgresql:'),
  },
  amqpUrl: {
    name: 'AMQP_URL',
    bounds: 'amqp:// or amqps:// URL',
    says: 'The RabbitMQ virtual host, version 3.10 or later.',
    secret: true,
    parse: urlOf('amqp:', 'amqps:'),
  },
  httpHost: {
    name: 'NIGHTSHIFT_HTTP_HOST',
    fallback: '0.0.0.0',
    bounds: 'an address',
    says: 'The address on which the API and the metrics are served.',
    parse: anyText,
  },
  httpPort: {
    name: 'NIGHTSHIFT_HTTP_PORT',
    fallback: '8080',
    bounds: '0-65535',
    says: 'The port of the API; 0 takes a free one and logs it.',
    parse: wholeNumber(0, 65_535),
  },
  metricsPort: {
    name: 'NIGHTSHIFT_METRICS_PORT',
    fallback: '9090',
    bounds: '0-65535',
    says: 'The port of /metrics, and of the health checks of a consumer; 0 takes a free one and logs it.',
    parse: wholeNumber(0, 65_535),
  },
  auth: {
    name: 'NIGHTSHIFT_AUTH',
    fallback: 'on',
    bounds: 'on, off',
    says: 'off lets everybody in as the client named by X-Client-Id: for trying out only.',
    parse: oneOf('on', 'off'),
  },
  acceptMode: {
    name: 'NIGHTSHIFT_ACCEPT_MODE',
    fallback: 'durable',
    bounds: 'durable, confirmed',
    says: 'durable answers 202 after the commit; confirmed also waits up to 2 s for the broker and says whether it confirmed.',
    parse: oneOf('durable', 'confirmed'),
  },
  depthLow: {
    name: 'NIGHTSHIFT_DEPTH_LOW',
    fallback: '8000',
    bounds: '1-10000000, below DEPTH_HIGH',
    says: 'From so many waiting tasks in a queue on, clients that ask for more than their share begin to be refused.',
    parse: wholeNumber(1, 10_000_000),
  },
  depthHigh: {
    name: 'NIGHTSHIFT_DEPTH_HIGH',
    fallback: '10000',
    bounds: '1-10000000',
    says: 'At so many waiting tasks in a queue, everything beyond the shares is refused with 429.',
    parse: wholeNumber(1, 10_000_000),
  },
  outboxHigh: {
    name: 'NIGHTSHIFT_OUTBOX_HIGH',
    fallback: '1000000',
    bounds: '1-100000000',
    says: 'The same for all queues together while RabbitMQ is away, so that an outage does not shut the door.',
    parse: wholeNumber(1, 100_000_000),
  },
  tricklePerSecond: {
    name: 'NIGHTSHIFT_TRICKLE_PER_SECOND',
    fallback: '1',
    bounds: '1-1000',
    says: 'Tasks per second that every client may send to every queue, however deep it is.',
    parse: wholeNumber(1, 1_000),
  },
  queues: {
    name: 'NIGHTSHIFT_QUEUES',
    fallback: 'conversations:20',
    bounds: 'queue:slots, …',
    says: 'The queues this deployment works on, and how many tasks of each one consumer process runs in parallel.',
    parse: queueSlots,
  },
  retryLadderMs: {
    name: 'NIGHTSHIFT_RETRY_LADDER',
    fallback: '1m,5m,30m',
    bounds: 'up to 16 durations of 100ms to 24h',
    says: 'The waits before each retry of a task whose contract names no ladder of its own.',
    parse: ladder,
  },
  dbPool: {
    name: 'NIGHTSHIFT_DB_POOL',
    fallback: '5',
    bounds: '1-100',
    says: 'PostgreSQL connections of one process, and so how many task transactions are open at once.',
    parse: wholeNumber(1, 100),
  },
  leaseSeconds: {
    name: 'NIGHTSHIFT_LEASE_SECONDS',
    fallback: '10',
    bounds: '2-300',
    says: 'How long a consumer counts as alive after its last sign of life; the same for all processes.',
    parse: wholeNumber(2, 300),
  },
  auditQuietSeconds: {
    name: 'NIGHTSHIFT_AUDIT_QUIET_SECONDS',
    fallback: '30',
    bounds: '3-3600',
    says: 'How long a queue must be empty before a task that it should hold counts as lost by the broker.',
    parse: wholeNumber(3, 3_600),
  },
  drainGraceSeconds: {
    name: 'NIGHTSHIFT_DRAIN_GRACE_SECONDS',
    fallback: '25',
    bounds: '1-3600',
    says: 'How long a stopping consumer lets running tasks finish before it hands them back.',
    parse: wholeNumber(1, 3_600),
  },
  resultTtlMs: {
    name: 'NIGHTSHIFT_RESULT_TTL',
    fallback: '24h',
    bounds: '1m-365d',
    says: 'How long the result of a finished task can be read.',
    parse: durationBetween('1m', '365d'),
  },
  taskRetentionMs: {
    name: 'NIGHTSHIFT_TASK_RETENTION',
    fallback: '30d',
    bounds: '1d-365d',
    says: 'How long finished tasks are kept, and how far ahead runAt may lie. Unfinished tasks are never removed.',
    parse: durationBetween('1d', '365d'),
  },
  consumerName: {
    name: 'NIGHTSHIFT_CONSUMER_NAME',
    fallback: hostname(),
    bounds: 'a name',
    says: 'What this consumer is called in the history of attempts; in Kubernetes the pod name.',
    parse: anyText,
  },
  trialTasks: {
    name: 'NIGHTSHIFT_TRIAL_TASKS',
    fallback: 'off',
    bounds: 'on, off',
    says: 'on also loads the tasks for trying Nightshift out (trial.sleep, trial.fail, …); never in production.',
    parse: oneOf('on', 'off'),
  },
  logLevel: {
    name: 'NIGHTSHIFT_LOG_LEVEL',
    fallback: 'info',
    bounds: 'debug, info, warn, error, silent',
    says: 'The least severe log line that is written.',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
} as const satisfies Record<string, Setting<unknown>>

export type Config = { readonly [Key in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Key]['parse']> }
