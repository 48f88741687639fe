/** The spans of a task's way, by OpenTelemetry. What is not sampled makes no span: its context is only passed on. */
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { placeOf, placeOfAttempt, type TraceContext } from '../../core/trace.ts'
import { VERSION } from '../build-info.ts'
import type { TracedDelivery, TracedTask, Tracing } from '../tracing.ts'
import type { Ids } from './ids.ts'
import { APP, ERROR_TYPE, MESSAGING } from './names.ts'

const DELIVERY = createContextKey('nightshift delivery')

interface Delivered {
  readonly delivery: TracedDelivery
  readonly at: number
}

export function createSpans(ids: Ids): Omit<Tracing, 'stop'> {
  const tracer = trace.getTracer('nightshift', VERSION)

  /** Runs `work` with the span active, then ends the span; what is thrown is its error, by kind and without its text. */
  async function within<Result>(span: Span, parent: Context, work: () => Promise<Result>): Promise<Result> {
    try {
      return await context.with(trace.setSpan(parent, span), work)
    } catch (error) {
      fail(span, kindOf(error))
      throw error
    } finally {
      span.end()
    }
  }

  return {
    request(requestId, offered) {
      const span = trace.getActiveSpan()
      if (!span) return { ...offered, traceparent: `${offered.traceparent.slice(0, -2)}00` }
      span.setAttribute(APP.requestId, requestId)
      return contextOf(span)
    },
    route(method, path) {
      trace.getActiveSpan()?.updateName(`${method} ${path}`).setAttribute('http.route', path)
    },
    about({ id, name }) {
      trace.getActiveSpan()?.setAttributes({ [APP.taskId]: id, [APP.taskName]: name, [APP.attempt]: 0 })
    },
    accept(task, work) {
      if (!trace.getActiveSpan()?.isRecording()) return work(task)
      const span = tracer.startSpan(`accept ${task.name}`, { attributes: attributesOf(task, 0) })
      return within(span, context.active(), () => work({ ...task, ...contextOf(span) }))
    },
    async publish(message, work) {
      const stored = storedContext(message.traceparent, message.tracestate ?? undefined)
      if (!stored || !isSampled(stored)) return work()
      const parent = trace.setSpanContext(ROOT_CONTEXT, stored)
      const destination = destinationOf(message.exchange, message.routingKey)
      const attributes = {
        ...attributesOf(message, message.attempt),
        ...messaging('publish', 'send', destination, message),
        [MESSAGING.conversationId]: message.requestId,
      }
      const span = tracer.startSpan(`publish ${destination}`, { kind: SpanKind.PRODUCER, attributes }, parent)
      return within(span, parent, async () => {
        const result = await work()
        if (result !== 'confirmed') fail(span, result)
        return result
      })
    },
    deliver(delivery, work) {
      if (!delivery) return work()
      const stored = storedContext(delivery.traceparent, delivery.tracestate)
      const delivered: Delivered = { delivery, at: Date.now() }
      const base = stored ? trace.setSpanContext(ROOT_CONTEXT, stored) : ROOT_CONTEXT
      return context.with(base.setValue(DELIVERY, delivered), work)
    },
    attempt(task, work) {
      const delivered = context.active().getValue(DELIVERY) as Delivered | undefined
      const stored = storedContext(task.traceparent, delivered?.delivery.tracestate)
      if (!stored || !isSampled(stored)) return work()
      const { attempt } = task
      const isFirst = attempt === 1
      const parent = isFirst ? trace.setSpanContext(ROOT_CONTEXT, stored) : ROOT_CONTEXT
      const before = isFirst ? [] : [stored, attemptContext(stored, task.id, attempt - 1)]
      const attributes = { ...attributesOf(task, attempt), [MESSAGING.conversationId]: task.requestId }
      const { name, more } = consumed(delivered?.delivery)
      const options = {
        kind: SpanKind.CONSUMER,
        links: before.map((place) => ({ context: place })),
        attributes: { ...attributes, ...more },
        startTime: delivered?.at ?? Date.now(),
      }
      const own = placeOfAttempt(stored.traceId, task.id, attempt)
      const span = ids.use(own, () => tracer.startSpan(name, options, parent))
      tracer.startSpan('claim', { startTime: options.startTime }, trace.setSpan(parent, span)).end()
      return within(span, parent, work)
    },
    ended({ next, error, fingerprint }) {
      const span = trace.getActiveSpan()
      if (!span?.isRecording()) return
      span.setAttribute(APP.next, next)
      if (fingerprint !== undefined) span.setAttribute(APP.fingerprint, fingerprint)
      if (error !== undefined) fail(span, error)
    },
    step(name, work) {
      if (!trace.getActiveSpan()?.isRecording()) return work()
      return within(tracer.startSpan(name), context.active(), work)
    },
    caller: () => trace.getSpanContext(context.active()),
    batch(name, callers, work) {
      const links = callers.filter((caller) => caller !== undefined).filter(isSampled)
      if (name === undefined || links.length === 0) return context.with(ROOT_CONTEXT, work)
      const options = {
        links: links.map((caller) => ({ context: caller })),
        attributes: { [APP.batchTasks]: callers.length },
      }
      return within(tracer.startSpan(`${name} batch`, options, ROOT_CONTEXT), ROOT_CONTEXT, work)
    },
  }
}

function attributesOf({ requestId, id, name }: TracedTask, attempt: number): Attributes {
  return { [APP.requestId]: requestId, [APP.taskId]: id, [APP.taskName]: name, [APP.attempt]: attempt }
}

function messaging(
  operation: string,
  type: 'send' | 'process',
  destination: string,
  { routingKey, messageId }: { readonly routingKey: string; readonly messageId: string | undefined },
): Attributes {
  return {
    [MESSAGING.system]: 'rabbitmq',
    [MESSAGING.operationName]: operation,
    [MESSAGING.operationType]: type,
    [MESSAGING.destination]: destination,
    [MESSAGING.routingKey]: routingKey,
    ...(messageId === undefined ? {} : { [MESSAGING.messageId]: messageId }),
  }
}

function consumed(delivery: TracedDelivery | undefined): { name: string; more: Attributes } {
  if (!delivery) return { name: 'process', more: {} }
  const destination = destinationOf(delivery.exchange, delivery.routingKey, delivery.queueName)
  return { name: `process ${destination}`, more: messaging('process', 'process', destination, delivery) }
}

/** `{exchange}:{routing key}` of what is sent, `{exchange}:{routing key}:{queue}` of what came. */
function destinationOf(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(':')
}

function fail(span: Span, type: string): void {
  span.setAttribute(ERROR_TYPE, type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** A problem's slug, or what kind of error it is; never its message, which may quote what a client has sent. */
function kindOf(error: unknown): string {
  const slug: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'slug') : undefined
  if (typeof slug === 'string') return slug
  return error instanceof Error ? error.name : 'unknown'
}

const isSampled = ({ traceFlags }: Pick<SpanContext, 'traceFlags'>): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0

function contextOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const flags = (traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'
  return { traceId, traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? null }
}

function storedContext(traceparent: string | undefined, tracestate: string | undefined): SpanContext | undefined {
  const place = placeOf(traceparent)
  return (
    place && {
      traceId: place.traceId,
      spanId: place.spanId,
      traceFlags: place.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      isRemote: true,
      ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
    }
  )
}

function attemptContext(stored: SpanContext, taskId: string, attempt: number): SpanContext {
  return { ...placeOfAttempt(stored.traceId, taskId, attempt), traceFlags: stored.traceFlags, isRemote: true }
}
