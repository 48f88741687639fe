// What is measured, in the order in which it is.

export const MEASURES = {
  'end-to-end': 'POST one task per request, 64 in flight, until every accepted task is recorded as done',
  drain: 'one consumer process works off a standing backlog',
  gateway: 'accepting alone, 64 in flight, no consumer; beside a bare Express echo',
  idle: 'one task at a time: from the call to the start of the handler',
  batch: 'accepting 500 tasks per call, 4 calls at a time',
  'open-loop': '2 000 requests a second, whatever comes back: from due to recorded',
  'broker-away': 'the 202 with RabbitMQ running, and stopped',
  tracing: 'end-to-end without traces, with those of 1 % of requests, and of all',
} as const

export type MeasureName = keyof typeof MEASURES
