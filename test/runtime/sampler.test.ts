// What is recorded of a task is decided where its request arrives; everything that follows from it goes with that.
import {
  type Attributes,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { SamplingDecision } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEntry, createSampler, samplerOf } from '../../src/runtime/tracing/sampler.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const place = (isSampled: boolean, isRemote = true): SpanContext => ({
  traceId: TRACE,
  spanId: '00f067aa0ba902b7',
  traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote,
})

interface Asked {
  readonly parent?: SpanContext
  readonly kind?: SpanKind
  readonly links?: readonly SpanContext[]
}

function isRecorded({ parent, kind = SpanKind.INTERNAL, links = [] }: Asked): boolean {
  const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
  const asked = links.map((of): Link => ({ context: of }))
  const { decision } = createSampler().shouldSample(context, TRACE, 'a span', kind, {}, asked)
  return decision === SamplingDecision.RECORD_AND_SAMPLED
}

test.each([
  { what: 'a message of a recorded request', asked: { parent: place(true), kind: SpanKind.PRODUCER }, is: true },
  { what: 'a message of another', asked: { parent: place(false), kind: SpanKind.PRODUCER }, is: false },
  { what: 'a call of a handler whose task is not recorded', asked: { parent: place(false, false) }, is: false },
  { what: 'a batch with one recorded task', asked: { links: [place(false), place(true)] }, is: true },
  { what: 'a batch without any', asked: { links: [place(false), place(false)] }, is: false },
  { what: 'a later attempt', asked: { kind: SpanKind.CONSUMER, links: [place(true)] }, is: true },
  { what: 'what belongs to nothing', asked: {}, is: false },
])('recorded: $what: $is', ({ asked, is }) => {
  expect(isRecorded(asked)).toBe(is)
})

describe('a request', () => {
  beforeAll(() => void propagation.setGlobalPropagator(new W3CTraceContextPropagator()))
  afterAll(() => propagation.disable())

  const from = (flags: '00' | '01') => ({ traceparent: `00-${TRACE}-00f067aa0ba902b7-${flags}` })
  const named = (name: string, share = '') => ({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: share })
  test.each([
    { variables: {}, headers: {}, is: true },
    { variables: {}, headers: from('00'), is: false },
    { variables: named('always_off'), headers: from('01'), is: false },
    { variables: named('parentbased_always_off'), headers: from('01'), is: true },
    { variables: named('parentbased_traceidratio', '0'), headers: {}, is: false },
    { variables: named('parentbased_traceidratio', '0'), headers: from('01'), is: true },
    { variables: named('traceidratio', '0'), headers: from('01'), is: false },
    { variables: named('traceidratio', '1'), headers: from('00'), is: true },
  ])('under $variables from $headers is recorded: $is', ({ variables, headers, is }) => {
    expect(createEntry(samplerOf(variables), () => TRACE)(headers)).toBe(is)
  })
})

test('a span takes over the ids of its parent, but for those it has of its own', () => {
  const attributes: Attributes = { 'app.request.id': 'r', 'app.task.id': 't', 'http.route': '/x' }
  const parent = Object.assign(trace.wrapSpanContext(place(true, false)), { attributes })
  const context = trace.setSpan(ROOT_CONTEXT, parent)

  const made = createSampler().shouldSample(context, TRACE, 'a', SpanKind.CLIENT, { 'app.task.id': 'own' }, [])

  expect(made.attributes).toEqual({ 'app.request.id': 'r' })
})

test.each([
  [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER is "sometimes"'],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_constructor' }, 'which is no sampler'],
  [
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
    'OTEL_TRACES_SAMPLER_ARG must be from 0 to 1',
  ],
  [
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'x' },
    'OTEL_TRACES_SAMPLER_ARG must be from 0 to 1',
  ],
])('%j is refused by name', (variables, says) => {
  expect(() => samplerOf(variables)).toThrow(says)
})
