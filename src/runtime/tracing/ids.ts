/** Makes ids of spans: random ones, but for an attempt, whose ids follow from its task and number. */
import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace'

export interface Ids extends IdGenerator {
  /** Starts a span under these ids; a span with a parent keeps the parent's trace. */
  use<Span>(ids: { readonly traceId: string; readonly spanId: string }, start: () => Span): Span
}

export function createIds(): Ids {
  const random = new RandomIdGenerator()
  let given: { readonly traceId: string; readonly spanId: string } | undefined
  return {
    generateTraceId: () => given?.traceId ?? random.generateTraceId(),
    generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    use(ids, start) {
      given = ids
      try {
        return start()
      } finally {
        given = undefined
      }
    },
  }
}
