/** Tracing that traces nothing: it hands on what it is given, and makes no promise, object or closure of its own. */
import type { Tracing } from './contract.ts'

export const OFF: Tracing = {
  request: (_requestId, offered) => offered,
  route: () => undefined,
  about: () => undefined,
  place: () => undefined,
  accepting: () => undefined,
  publish: (sent, _describe, work) => work(sent),
  received: () => undefined,
  deliver: (_delivery, given, work) => work(given),
  attempt: (_task, given, work) => work(given),
  ended: () => undefined,
  traceIdOf: ({ traceparent }) => traceparent.slice(3, 35),
  step: (_name, given, work) => work(given),
  caller: () => undefined,
  callerAt: () => undefined,
  batch: (_name, _members, items, work) => work(items),
  apart: (work) => work(),
  stop: async () => undefined,
}
