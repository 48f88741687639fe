/**
 * Decides once for a task, where its request arrives, by OTEL_TRACES_SAMPLER. Everything that follows from it is recorded
 * with it or not at all: publish, attempts, later attempts in traces of their own, and batches that it is part of.
 */
import {
  type Attributes,
  type Context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace'
import { INHERITED } from './names.ts'

/**
 * Decides about a request before anything is made of it, because nearly all of the cost of a server span comes before
 * the SDK asks its sampler: at a share of 1 % a request cost twice the CPU time of one without tracing.
 */
export function createEntry(sampler: Sampler, newTraceId: () => string): (headers: object) => boolean {
  return (headers) => {
    const context = propagation.extract(ROOT_CONTEXT, headers)
    const traceId = trace.getSpanContext(context)?.traceId ?? newTraceId()
    const { decision } = sampler.shouldSample(context, traceId, 'request', SpanKind.SERVER, {}, [])
    return decision === SamplingDecision.RECORD_AND_SAMPLED
  }
}

/**
 * Makes the SDK's sampler. A server span is only begun for a request that is recorded; any other goes with its parent or
 * its links. It also gives every span what it inherits of its parent: the ids of request, task and attempt.
 */
export function createSampler(): Sampler {
  return {
    shouldSample(context, _traceId, _name, kind, attributes, links): SamplingResult {
      const place = trace.getSpanContext(context)
      if (kind === SpanKind.SERVER) return decided(true)
      if (place) return decided(isSampled(place.traceFlags), inherited(context, attributes))
      return decided(links.some(({ context: of }: Link) => isSampled(of.traceFlags)))
    },
    toString: () => 'Nightshift',
  }
}

const isSampled = (flags: number): boolean => (flags & TraceFlags.SAMPLED) !== 0

function decided(yes: boolean, attributes: Attributes = {}): SamplingResult {
  return { decision: yes ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD, attributes }
}

function inherited(context: Context, own: Attributes): Attributes {
  const parent = trace.getSpan(context) as { readonly attributes?: Attributes } | undefined
  if (!parent?.attributes) return {}
  const attributes: Attributes = {}
  for (const name of INHERITED) {
    const value = parent.attributes[name]
    if (value !== undefined && own[name] === undefined) attributes[name] = value
  }
  return attributes
}

/**
 * Makes the sampler that the standard variables name.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
 *
 * @throws Error naming the variable when it is none of them
 */
export function samplerOf(environment: NodeJS.ProcessEnv): Sampler {
  const name = environment.OTEL_TRACES_SAMPLER || 'parentbased_always_on'
  const root = new Map(Object.entries(roots(environment))).get(name.replace(/^parentbased_/, ''))
  if (!root) throw new Error(`OTEL_TRACES_SAMPLER is "${name}", which is no sampler: try parentbased_traceidratio`)
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root: root() }) : root()
}

function roots({ OTEL_TRACES_SAMPLER_ARG: text }: NodeJS.ProcessEnv): Readonly<Record<string, () => Sampler>> {
  return {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => {
      const ratio = text === undefined || text === '' ? 1 : Number(text)
      if (!(ratio >= 0 && ratio <= 1)) throw new Error(`OTEL_TRACES_SAMPLER_ARG must be from 0 to 1, not "${text}"`)
      return new TraceIdRatioBasedSampler(ratio)
    },
  }
}
