/**
 * Traces, as the stations see them. `tracing` is undefined unless an OTLP endpoint is set: then nothing of OpenTelemetry
 * is loaded, and every hook is one check. The names of spans and attributes are listed in docs/tracing.md.
 */
import { placeOf, placeOfAttempt, type TraceContext } from '../core/trace.ts'
import type { Log } from './log.ts'

/** What the span of a task must know of it. */
export interface TracedTask {
  readonly id: string
  readonly name: string
  readonly requestId: string
  readonly traceparent: string
}

/** A message as the publisher has it: `attempt` is the one that it may begin. */
export interface TracedMessage extends TracedTask {
  readonly messageId: string
  readonly attempt: number
  readonly exchange: string
  readonly routingKey: string
  readonly tracestate: string | null
}

/** A message as it was delivered. */
export interface TracedDelivery {
  readonly messageId: string | undefined
  readonly exchange: string
  readonly routingKey: string
  /** The queue's name on the broker. */
  readonly queueName: string
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

/** How an attempt ended: the task's next state, and of a failure its name and fingerprint. */
export interface TracedEnd {
  readonly next: string
  readonly error?: string | undefined
  readonly fingerprint?: string | undefined
}

/** Where a piece of work was added to a batch. */
export type Caller = { readonly traceId: string; readonly spanId: string; readonly traceFlags: number } | undefined

/** Every method that takes `work` runs it, and resolves or rejects as it does. None throws on its own account. */
export interface Tracing {
  /**
   * Names the request on the server span and gives that span's context. For a request that is not recorded it gives the
   * one that is offered, marked so.
   */
  request(requestId: string, offered: TraceContext): TraceContext
  /** Names the server span by its route, such as `/api/v1/tasks/{id}`. */
  route(method: string, path: string): void
  /** Names on the active span the one task that it turned out to be about. */
  about(task: Pick<TracedTask, 'id' | 'name'>): void
  /** Accepts one task in a span of its own, and gives `work` the task with that span's context to store. */
  accept<Task extends TracedTask, Result>(task: Task, work: (task: Task) => Promise<Result>): Promise<Result>
  /** Publishes in a span that continues the stored context. A result other than `confirmed` is its error. */
  publish<Result extends string>(message: TracedMessage, work: () => Promise<Result>): Promise<Result>
  /** Handles a delivery: what is done before the task is claimed belongs to the context that the message brings. */
  deliver<Result>(delivery: TracedDelivery | undefined, work: () => Promise<Result>): Promise<Result>
  /** Runs a claimed attempt, inside `deliver`. Its span, and that of its claim, begin when the delivery came. */
  attempt<Result>(task: TracedTask & { readonly attempt: number }, work: () => Promise<Result>): Promise<Result>
  /** Says on the attempt's span how it ended. */
  ended(end: TracedEnd): void
  /** Does one step of a task in a span of its own, below the one that is active; without one, in none. */
  step<Result>(name: 'settle', work: () => Promise<Result>): Promise<Result>
  /** Tells where work is added to a batch. */
  caller(): Caller
  /** Runs a batch in a root span with a link to each of its callers; without a name, in no span. */
  batch<Result>(name: string | undefined, callers: readonly Caller[], work: () => Promise<Result>): Promise<Result>
  /** Sends what is not sent yet, for at most two seconds. */
  stop(): Promise<void>
}

export let tracing: Tracing | undefined

/**
 * Starts tracing when the environment names where to. It must come before anything loads node:http, express or pg, or
 * their spans are missing. Tracing that cannot start is logged and left off: it is never why a process does not run.
 */
export async function startTracing(role: string, log: Log): Promise<void> {
  if (!isWanted(process.env)) return
  try {
    tracing = (await import('./tracing/sdk.ts')).startSdk(role, log)
  } catch (error) {
    log.error({ error }, 'tracing could not be started, it is left off')
  }
}

/** Sends what is not sent yet, for at most two seconds, and ends tracing. */
export async function stopTracing(): Promise<void> {
  const ending = tracing
  tracing = undefined
  await ending?.stop()
}

function isWanted(environment: NodeJS.ProcessEnv): boolean {
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT
  const isOff = environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || environment.OTEL_TRACES_EXPORTER === 'none'
  return Boolean(endpoint) && !isOff
}

/** Does what is for nobody in particular, though somebody's request has set it going: it is no part of that trace. */
export function untraced<Result>(work: () => Promise<Result>): Promise<Result> {
  return tracing === undefined ? work() : tracing.batch(undefined, [], work)
}

/** The trace in which an attempt is found: the task's own, or when tracing is on that of a later attempt. */
export function traceIdOf(task: {
  readonly id: string
  readonly attempt: number
  readonly traceparent: string
}): string {
  const stored = task.traceparent.slice(3, 35)
  if (tracing === undefined || task.attempt === 1 || !placeOf(task.traceparent)?.isSampled) return stored
  return placeOfAttempt(stored, task.id, task.attempt).traceId
}
