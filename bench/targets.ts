// What Nightshift is meant to reach, as ratios to its peers measured in the same rounds.
import type { MeasureName } from './measures/names.ts'
import type { SystemName } from './systems/names.ts'

export interface Target {
  readonly measure: MeasureName
  readonly figure: string
  readonly peer: SystemName
  /** The peer's figure when it has another name than ours. */
  readonly peerFigure?: string
  readonly atLeast?: number
  readonly atMost?: number
}

const RATE = 'tasks_per_s'
const CPU = 'cpu_s_per_1000'

export const TARGETS: readonly Target[] = [
  { measure: 'end-to-end', figure: RATE, peer: 'bullmq-always', atLeast: 1 },
  { measure: 'end-to-end', figure: RATE, peer: 'bullmq-everysec', atLeast: 0.9 },
  { measure: 'end-to-end', figure: RATE, peer: 'bullmq-postgres', atLeast: 8 },
  { measure: 'end-to-end', figure: RATE, peer: 'pg-boss', atLeast: 8 },
  { measure: 'end-to-end', figure: RATE, peer: 'graphile-worker', atLeast: 8 },
  { measure: 'end-to-end', figure: RATE, peer: 'celery-redis', atLeast: 12 },
  { measure: 'end-to-end', figure: RATE, peer: 'celery-db', atLeast: 25 },
  { measure: 'end-to-end', figure: RATE, peer: 'amqplib', atLeast: 0.6 },
  { measure: 'drain', figure: RATE, peer: 'graphile-worker', atLeast: 1.2 },
  { measure: 'drain', figure: RATE, peer: 'bullmq-always', atLeast: 2.5 },
  { measure: 'drain', figure: RATE, peer: 'amqplib', atLeast: 0.7 },
  { measure: 'gateway', figure: 'requests_per_s', peer: 'express', atLeast: 0.7 },
  { measure: 'batch', figure: RATE, peer: 'bullmq-always', atLeast: 0.7 },
  { measure: 'batch', figure: RATE, peer: 'pg-boss', atLeast: 0.7 },
  { measure: 'batch', figure: RATE, peer: 'graphile-worker', atLeast: 0.7 },
  { measure: 'open-loop', figure: 'done_p99_ms', peer: 'bullmq-always', atMost: 0.5 },
  {
    measure: 'idle',
    figure: 'http_start_p50_ms',
    peer: 'graphile-worker',
    peerFigure: 'library_start_p50_ms',
    atMost: 1.5,
  },
  { measure: 'idle', figure: 'http_start_p99_ms', peer: 'nightshift', peerFigure: 'http_start_p50_ms', atMost: 3 },
  { measure: 'end-to-end', figure: CPU, peer: 'bullmq-postgres', atMost: 1 },
  { measure: 'end-to-end', figure: CPU, peer: 'pg-boss', atMost: 1 },
  { measure: 'end-to-end', figure: CPU, peer: 'graphile-worker', atMost: 1 },
  { measure: 'end-to-end', figure: CPU, peer: 'celery-db', atMost: 1 },
  { measure: 'tracing', figure: RATE, peer: 'nightshift-traced-1', atMost: 1.2 },
  { measure: 'tracing', figure: RATE, peer: 'nightshift-traced-100', atMost: 1.6 },
  { measure: 'tracing', figure: CPU, peer: 'nightshift-traced-1', atLeast: 0.8 },
  { measure: 'tracing', figure: CPU, peer: 'nightshift-traced-100', atLeast: 0.6 },
  { measure: 'broker-away', figure: 'stopped_p99_ms', peer: 'nightshift', peerFigure: 'running_p99_ms', atMost: 1.2 },
]
