/** W3C Trace Context (https://www.w3.org/TR/trace-context/): read what a caller sent, or begin a trace of our own. */
import { createHash } from 'node:crypto'
import { randomBytes } from './random.ts'

export interface TraceContext {
  /** 32 lower-case hexadecimal characters. */
  readonly traceId: string
  readonly traceparent: string
  readonly tracestate: string | null
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/
/** What a later version may say: four fields as we know them, then more that we do not. */
const LATER = /^((?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})-.*$/s

/**
 * Takes over the trace that a caller offers, or begins one. Of a later version the four fields that it shares with ours
 * are taken, and passed on as version 00, which is what we speak.
 */
export function traceFrom(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent?.replace(LATER, '$1') ?? '') ?? []
  if (traceId !== undefined && traceparent !== undefined) {
    const state = tracestate !== undefined && /^[\x20-\x7e]{1,512}$/.test(tracestate) ? tracestate : null
    const ours = traceparent.startsWith('00') ? traceparent : `00-${traceId}-${spanId}-${sampledFlag(flags)}`
    return { traceId, traceparent: ours, tracestate: state }
  }
  const own = randomBytes(16).toString('hex')
  return { traceId: own, traceparent: `00-${own}-${randomBytes(8).toString('hex')}-00`, tracestate: null }
}

/** Of the flags of a later version only this one is known to mean the same. */
const sampledFlag = (flags = '00'): string => (Number.parseInt(flags, 16) & 1 ? '01' : '00')

/** Where a span stands: what a traceparent says. */
export interface SpanPlace {
  /** 32 lower-case hexadecimal characters. */
  readonly traceId: string
  /** 16 lower-case hexadecimal characters. */
  readonly spanId: string
  /** Whether whoever began the trace records it. */
  readonly isSampled: boolean
}

/** Reads a traceparent; undefined when it is none. */
export function placeOf(traceparent: string | undefined): SpanPlace | undefined {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined
  return {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    isSampled: (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1,
  }
}

/**
 * Tells which span an attempt is, so that nobody needs to store it: the next attempt links to it, and whoever shows the
 * attempt finds its trace. Attempt 1 goes on in the task's trace; each later one has a trace of its own.
 */
export function placeOfAttempt(taskTraceId: string, taskId: string, attempt: number): Omit<SpanPlace, 'isSampled'> {
  const hash = createHash('sha256').update(`${taskId}:${attempt}`).digest('hex')
  return { traceId: attempt === 1 ? taskTraceId : hash.slice(0, 32), spanId: hash.slice(32, 48) }
}
