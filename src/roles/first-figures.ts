/**
 * Sets the metrics that are known when a process starts. Counters begin at 0, because the first step of a counter that
 * appears at 1 is no increase, and an alert on it would miss the first dead letter.
 */
import type { Published } from '../broker/outgoing.ts'
import { durationLabel } from '../broker/topology.ts'
import type { ProblemSlug } from '../http/problem.ts'
import { COMMIT, VERSION } from '../runtime/build-info.ts'
import type { Config } from '../runtime/config.ts'
import { metrics } from '../runtime/metrics.ts'

const REFUSALS: readonly ProblemSlug[] = ['queue-full', 'unavailable', 'internal', 'invalid-input']
const PUBLISHED: readonly Published[] = ['confirmed', 'returned', 'nacked', 'unknown']
const OUTCOMES = ['success', 'failure', 'handed_back']

export function showBuild(role: string): void {
  metrics.buildInfo.set({ version: VERSION, commit: COMMIT, role }, 1)
}

export function firstFiguresOfApi(config: Config, taskNames: Iterable<string>): void {
  metrics.admissionMark.set({ mark: 'low' }, config.depthLow)
  metrics.admissionMark.set({ mark: 'high' }, config.depthHigh)
  for (const reason of REFUSALS) metrics.tasksRejected.inc({ reason }, 0)
  for (const result of PUBLISHED) metrics.published.inc({ result }, 0)
  for (const cause of ['lost', 'dead_consumer']) metrics.auditReoffered.inc({ cause }, 0)
  for (const task of taskNames) metrics.deadLettered.inc({ task }, 0)
}

export function firstFiguresOfConsumer(
  queues: ReadonlyMap<string, number>,
  taskNames: Iterable<string>,
  rungsMs: readonly number[],
): void {
  for (const [queue, slots] of queues) {
    metrics.slots.set({ queue }, slots)
    for (const gauge of [metrics.inFlight, metrics.queueUnacked]) gauge.set({ queue }, 0)
    for (const counter of [metrics.deliveriesAcked, metrics.deliveriesNacked]) counter.inc({ queue }, 0)
  }
  for (const task of taskNames) {
    for (const outcome of OUTCOMES) metrics.attempts.inc({ task, outcome }, 0)
    metrics.deadLettered.inc({ task }, 0)
  }
  for (const rungMs of rungsMs) metrics.retries.inc({ rung: durationLabel(rungMs) }, 0)
}
