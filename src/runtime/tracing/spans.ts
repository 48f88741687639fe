/** The spans of a task's way, by OpenTelemetry. What is not sampled makes no span: its context is only passed on. */
import { trace } from '@opentelemetry/api'
import { VERSION } from '../build-info.ts'
import { createAttemptSpans } from './attempt-spans.ts'
import type { Tracing } from './contract.ts'
import type { Ids } from './ids.ts'
import { createRequestSpans } from './request-spans.ts'
import { createWorkSpans } from './work-spans.ts'

export function createSpans(ids: Ids): Omit<Tracing, 'stop'> {
  const tracer = trace.getTracer('nightshift', VERSION)
  return { ...createRequestSpans(tracer), ...createAttemptSpans(tracer, ids), ...createWorkSpans(tracer) }
}
