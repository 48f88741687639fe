// What is measured against what. The names stand in the results, so they are never used for anything else.

export const SYSTEM_NAMES = {
  nightshift: 'Nightshift: PostgreSQL and RabbitMQ, attempt history, results',
  'nightshift-traced-1': 'Nightshift with the traces of 1 % of requests (only for tracing)',
  'nightshift-traced-100': 'Nightshift with the traces of all requests (only for tracing)',
  'bullmq-always': 'BullMQ on Redis, append-only file, fsync always',
  'bullmq-everysec': 'BullMQ on Redis, append-only file, fsync every second (may lose a second)',
  'bullmq-postgres': 'BullMQ on PostgreSQL',
  'pg-boss': 'pg-boss on PostgreSQL',
  'graphile-worker': 'graphile-worker on PostgreSQL, batched local queue (keeps no record of what is done)',
  'celery-redis': 'Celery on RabbitMQ, results in Redis (append-only, fsync always)',
  'celery-db': 'Celery on RabbitMQ, results in PostgreSQL',
  amqplib: 'raw amqplib: publish, confirm, consume, ack on a quorum queue (a loop without state)',
  express: 'a bare Express echo (only for the gateway)',
} as const

export type SystemName = keyof typeof SYSTEM_NAMES

/** Those whose client is a library of Node: a front or a caller of ours can call it, one task at a time or many. */
export const CALLED_IN_NODE: readonly SystemName[] = [
  'nightshift',
  'bullmq-always',
  'bullmq-everysec',
  'bullmq-postgres',
  'pg-boss',
  'graphile-worker',
  'amqplib',
]
