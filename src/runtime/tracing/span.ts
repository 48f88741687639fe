/** What all our spans share: their attributes, their end, and their context as it is stored. */
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import type { TraceContext } from '../../core/trace.ts'
import type { TracedTask } from './contract.ts'
import { APP, ERROR_TYPE } from './names.ts'

/** Runs `work` with the span active, then ends the span; what is thrown is its error, by kind and without its text. */
export async function within<Result>(span: Span, parent: Context, work: () => Promise<Result>): Promise<Result> {
  try {
    return await context.with(trace.setSpan(parent, span), work)
  } catch (error) {
    fail(span, kindOf(error))
    throw error
  } finally {
    span.end()
  }
}

export function attributesOf({ requestId, id, name }: TracedTask, attempt: number): Attributes {
  return { [APP.requestId]: requestId, [APP.taskId]: id, [APP.taskName]: name, [APP.attempt]: attempt }
}

export function fail(span: Span, type: string): void {
  span.setAttribute(ERROR_TYPE, type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** A problem's slug, or what kind of error it is; never its message, which may quote what a client has sent. */
function kindOf(error: unknown): string {
  const slug: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'slug') : undefined
  if (typeof slug === 'string') return slug
  return error instanceof Error ? error.name : 'unknown'
}

export const isSampled = ({ traceFlags }: { readonly traceFlags: number }): boolean =>
  (traceFlags & TraceFlags.SAMPLED) !== 0

export function contextOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const flags = (traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'
  return { traceId, traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? null }
}
