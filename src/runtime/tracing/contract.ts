/** What the stations tell of traces. The names of spans and attributes are listed in docs/tracing.md. */
import type { TraceContext } from '../../core/trace.ts'

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

/** Where spans of a request belong; undefined in a process that is not traced. What it is only the tracer knows. */
export type Place = object | undefined

/** Where a piece of work was added to a batch. */
export type Caller = { readonly traceId: string; readonly spanId: string; readonly traceFlags: number } | undefined

/** The span in which one task is accepted: its context is stored with the task. */
export interface Accepting {
  readonly context: TraceContext
  /** For the batch that it becomes part of. */
  readonly caller: Caller
  /**
   * Ends the span.
   * @param refused the slug of the problem, if it was refused
   * @param id of the task that it repeats, if it was no new one
   */
  end(refused: string | undefined, id: string | undefined): void
}

/** Spans that concern a request. */
export interface RequestSpans {
  /**
   * Names the request on the server span and gives that span's context. For a request that is not recorded it gives the
   * one that is offered, marked so.
   */
  request(requestId: string, offered: TraceContext): TraceContext
  /** Names the server span by its route, such as `/api/v1/tasks/{id}`. */
  route(method: string, path: string): void
  /** Remembers the active span, to be named to the methods below when it is active no more. */
  place(): Place
  /** Names on the span of a request the one task that it turned out to be about. */
  about(place: Place, id: string, name: string): void
  /** Begins the span of accepting one task below that of its request; undefined where that is not recorded. */
  accepting(place: Place, task: TracedTask): Accepting | undefined
}

/** Spans that concern a message and the attempt that it begins. */
export interface AttemptSpans {
  /** Publishes in a span that continues the stored context. A result other than `confirmed` is its error. */
  publish<Sent, Result extends string>(
    sent: Sent,
    describe: (sent: Sent) => TracedMessage,
    work: (sent: Sent) => Promise<Result>,
  ): Promise<Result>
  /** Keeps of a received message what `deliver` wants to know. */
  received<Message>(
    message: Message,
    queue: string,
    describe: (message: Message, queue: string) => TracedDelivery,
  ): TracedDelivery | undefined
  /** Handles a delivery: what is done before the task is claimed belongs to the context that the message brings. */
  deliver<Given, Result>(
    delivery: TracedDelivery | undefined,
    given: Given,
    work: (given: Given) => Promise<Result>,
  ): Promise<Result>
  /** Runs a claimed attempt, inside `deliver`. Its span, and that of its claim, begin when the delivery came. */
  attempt<Given, Result>(
    task: TracedTask & { readonly attempt: number },
    given: Given,
    work: (given: Given) => Promise<Result>,
  ): Promise<Result>
  /** Says on the attempt's span how it ended. */
  ended(end: TracedEnd): void
  /** Tells the trace in which an attempt is found: the task's own, or when it is recorded that of a later attempt. */
  traceIdOf(task: { readonly id: string; readonly attempt: number; readonly traceparent: string }): string
}

/** Spans that concern work which several tasks share, or none. */
export interface WorkSpans {
  /** Does one step of a task in a span of its own, below the one that is active; without one, in none. */
  step<Given, Result>(name: 'settle', given: Given, work: (given: Given) => Promise<Result>): Promise<Result>
  /** Tells where work is added to a batch. */
  caller(): Caller
  /** Tells the same of a request. */
  callerAt(place: Place): Caller
  /** Runs a batch in a root span with a link to each of its callers; without a name, in no span. */
  batch<Items, Result>(
    name: string | undefined,
    members: readonly { readonly caller: Caller }[],
    items: Items,
    work: (items: Items) => Promise<Result>,
  ): Promise<Result>
  /** Does what is for nobody in particular, though somebody's request has set it going: it is no part of that trace. */
  apart<Result>(work: () => Promise<Result>): Promise<Result>
}

/**
 * Every method that takes `work` runs it, with what it was given, and resolves or rejects as it does. So nobody need make
 * a closure for a process that is not traced. None throws on its own account.
 */
export interface Tracing extends RequestSpans, AttemptSpans, WorkSpans {
  /** Sends what is not sent yet, for at most two seconds. */
  stop(): Promise<void>
}
