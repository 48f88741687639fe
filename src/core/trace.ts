/** W3C Trace Context (https://www.w3.org/TR/trace-context/): read what a caller sent, or begin a trace of our own. */
import { randomBytes } from './random.ts'

export interface TraceContext {
  /** 32 lower-case hexadecimal characters. */
  readonly traceId: string
  readonly traceparent: string
  readonly tracestate: string | null
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** Continues the caller's trace when its `traceparent` is valid; anything else begins a new, unsampled one. */
export function traceFrom(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (match && traceparent !== undefined) {
    const state = tracestate !== undefined && /^[\x20-\x7e]{1,512}$/.test(tracestate) ? tracestate : null
    return { traceId: match[1] as string, traceparent, tracestate: state }
  }
  const traceId = randomBytes(16).toString('hex')
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-00`, tracestate: null }
}
