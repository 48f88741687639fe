/**
 * Names of spans and attributes. Those of messaging are OpenTelemetry's, which are still in development there, so they
 * stand here as text and move only when we move them:
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ and …/messaging/rabbitmq/
 */

/** What every span of a task carries, as scalars, so that every store can search by them. */
export const APP = {
  requestId: 'app.request.id',
  taskId: 'app.task.id',
  taskName: 'app.task.name',
  attempt: 'app.task.attempt',
  next: 'app.task.next',
  fingerprint: 'app.error.fingerprint',
  batchTasks: 'app.batch.tasks',
} as const

/** Those that a span takes over from its parent, automatic ones too. */
export const INHERITED: readonly string[] = [APP.requestId, APP.taskId, APP.taskName, APP.attempt]

export const MESSAGING = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  conversationId: 'messaging.message.conversation_id',
  routingKey: 'messaging.rabbitmq.destination.routing_key',
} as const

export const ERROR_TYPE = 'error.type'
