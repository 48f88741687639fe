/** The spans of a message and of the attempt that it begins: published, delivered, run, ended. */
import {
  type Attributes,
  context,
  createContextKey,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { placeOf, placeOfAttempt } from '../../core/trace.ts'
import type { AttemptSpans, TracedDelivery, TracedTask } from './contract.ts'
import type { Ids } from './ids.ts'
import { APP, MESSAGING } from './names.ts'
import { attributesOf, fail, isSampled, within } from './span.ts'

const DELIVERY = createContextKey('nightshift delivery')

interface Delivered {
  readonly origin: TracedDelivery
  readonly at: number
}

export function createAttemptSpans(tracer: Tracer, ids: Ids): AttemptSpans {
  return {
    async publish(sent, describe, work) {
      const message = describe(sent)
      const stored = storedContext(message.traceparent, message.tracestate ?? undefined)
      if (!stored || !isSampled(stored)) return work(sent)
      const parent = trace.setSpanContext(ROOT_CONTEXT, stored)
      const destination = destinationOf(message.exchange, message.routingKey)
      const attributes = {
        ...attributesOf(message, message.attempt),
        ...messaging('publish', 'send', destination, message),
        [MESSAGING.conversationId]: message.requestId,
      }
      const span = tracer.startSpan(`publish ${destination}`, { kind: SpanKind.PRODUCER, attributes }, parent)
      return within(span, parent, async () => {
        const result = await work(sent)
        if (result !== 'confirmed') fail(span, result)
        return result
      })
    },
    received: (message, queue, describe) => describe(message, queue),
    deliver(origin, given, work) {
      if (!origin) return work(given)
      const stored = storedContext(origin.traceparent, origin.tracestate)
      const delivered: Delivered = { origin, at: Date.now() }
      const base = stored ? trace.setSpanContext(ROOT_CONTEXT, stored) : ROOT_CONTEXT
      return context.with(base.setValue(DELIVERY, delivered), work, undefined, given)
    },
    attempt(task, given, work) {
      const delivered = context.active().getValue(DELIVERY) as Delivered | undefined
      const stored = storedContext(task.traceparent, delivered?.origin.tracestate)
      if (!stored || !isSampled(stored)) return work(given)
      const parent = task.attempt === 1 ? trace.setSpanContext(ROOT_CONTEXT, stored) : ROOT_CONTEXT
      const span = startAttempt(tracer, ids, { task, stored, delivered, parent })
      return within(span, parent, () => work(given))
    },
    ended({ next, error, fingerprint }) {
      const span = trace.getActiveSpan()
      if (!span?.isRecording()) return
      span.setAttribute(APP.next, next)
      if (fingerprint !== undefined) span.setAttribute(APP.fingerprint, fingerprint)
      if (error !== undefined) fail(span, error)
    },
    traceIdOf({ id, attempt, traceparent }) {
      const stored = traceparent.slice(3, 35)
      return attempt === 1 || !placeOf(traceparent)?.isSampled ? stored : placeOfAttempt(stored, id, attempt).traceId
    },
  }
}

interface Begun {
  readonly task: TracedTask & { readonly attempt: number }
  readonly stored: SpanContext
  readonly delivered: Delivered | undefined
  readonly parent: typeof ROOT_CONTEXT
}

/** Begins the span of an attempt under ids of its own, and says below it how long the claim took. */
function startAttempt(tracer: Tracer, ids: Ids, { task, stored, delivered, parent }: Begun): Span {
  const { attempt } = task
  const before = attempt === 1 ? [] : [stored, attemptContext(stored, task.id, attempt - 1)]
  const attributes = { ...attributesOf(task, attempt), [MESSAGING.conversationId]: task.requestId }
  const { name, more } = consumed(delivered?.origin)
  const options = {
    kind: SpanKind.CONSUMER,
    links: before.map((place) => ({ context: place })),
    attributes: { ...attributes, ...more },
    startTime: delivered?.at ?? Date.now(),
  }
  const own = placeOfAttempt(stored.traceId, task.id, attempt)
  const span = ids.use(own, () => tracer.startSpan(name, options, parent))
  tracer.startSpan('claim', { startTime: options.startTime }, trace.setSpan(parent, span)).end()
  return span
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
