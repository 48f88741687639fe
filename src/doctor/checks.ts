/** Every check of the doctor: what should be so, why that matters, how a finding is mended. docs/doctor.md is made of it. */

interface Check {
  /** Follows "whether". */
  readonly looksAt: string
  readonly why: string
  readonly fix: string
}

const MAKE_ANEW =
  'Delete the queue when it is empty: an api or a consumer that starts makes it anew, and waiting tasks are offered again.'

export const CHECKS = {
  postgres: {
    looksAt: 'PostgreSQL answers',
    why: 'Nothing is accepted and nothing is run without it.',
    fix: 'Check DATABASE_URL, the network policy and the server.',
  },
  'postgres-version': {
    looksAt: 'PostgreSQL is version 15 or later',
    why: 'Older versions lack what the statements use, and were never tried.',
    fix: 'Upgrade PostgreSQL.',
  },
  'postgres-durability': {
    looksAt: '`fsync`, `full_page_writes` and `synchronous_commit` are on, as a session of ours sees them',
    why: 'A task answered 202 is gone when the server crashes before its commit has reached the disk.',
    fix: 'Set fsync = on, full_page_writes = on and synchronous_commit = on; look at ALTER ROLE and ALTER DATABASE too.',
  },
  connections: {
    looksAt: 'all processes with their pools fit into `max_connections` and the limits of role and database',
    why: 'At the limit the newest processes get no connection: consumers that were started for a burst do nothing.',
    fix: 'Lower NIGHTSHIFT_DB_POOL or NIGHTSHIFT_MAX_REPLICAS, raise max_connections, or put a pooler in session mode in between (connections are given settings that must stay theirs).',
  },
  migrations: {
    looksAt: 'the schema is as new as this version',
    why: 'Statements fail on the older schema, so that nothing is accepted.',
    fix: 'Run `nightshift migrate`.',
  },
  partitions: {
    looksAt: 'the daily partitions reach several days ahead',
    why: 'A task whose day has no partition cannot be stored: everything is refused from midnight (UTC) on.',
    fix: 'An api process makes them by itself: keep one running, and look for "retention" in its log.',
  },
  clock: {
    looksAt: 'the clocks of this process, PostgreSQL and (by its management API) RabbitMQ agree within 2 s',
    why: '`runAt` is turned into a wait by the clock of the api, and times in logs and answers do not line up.',
    fix: 'Let all machines follow the same time servers.',
  },
  broker: {
    looksAt: 'RabbitMQ answers, and is version 3.10 or later',
    why: 'Tasks are accepted without it and wait. Before 3.10 dead-lettering loses messages.',
    fix: 'Check AMQP_URL, the network policy, the rights of the user on its virtual host, and the server.',
  },
  exchanges: {
    looksAt: 'both exchanges exist, as topic exchanges, with the bindings of every queue',
    why: 'Messages that no queue takes come back, and their tasks wait.',
    fix: 'Delete an exchange of another type; an api or a consumer that starts makes exchanges and bindings anew.',
  },
  queues: {
    looksAt: 'every queue exists and has no argument but its own, as `nightshift topology` prints them',
    why: 'A missing queue keeps its tasks waiting; a length limit or a time to live drops messages without a word.',
    fix: MAKE_ANEW,
  },
  'queue-type': {
    looksAt: 'every queue is a quorum queue',
    why: 'A classic queue lives on one node, goes with its disk, and dead-letters at most once.',
    fix: MAKE_ANEW,
  },
  'dead-lettering': {
    looksAt:
      'every queue has its dead-letter exchange and routing key, the strategy `at-least-once` and the overflow `reject-publish`',
    why: 'Without all of them a retry, or a message set aside, is dropped when its target does not take it at once.',
    fix: MAKE_ANEW,
  },
  'delivery-limit': {
    looksAt: 'every queue has our delivery limit',
    why: 'A low limit sets good messages aside after a few restarts of consumers; without one a bad message goes round for ever.',
    fix: MAKE_ANEW,
  },
  policies: {
    looksAt: 'no policy of RabbitMQ changes what our queues keep',
    why: 'A policy for all queues (a length limit, a time to live) drops messages and looks like nothing in the application.',
    fix: 'Let the policy’s pattern leave out names that begin with `nightshift.`.',
  },
  'queue-counts': {
    looksAt: 'the management API tells how many messages each work queue holds',
    why: 'KEDA’s RabbitMQ scaler reads a missing count as 0 and ends all consumers of a full queue.',
    fix: 'Switch on the collection of metrics (management_agent.disable_metrics_collector = false, no management.disable_stats), or scale by /scaling.',
  },
  'consumer-timeout': {
    looksAt: 'RabbitMQ’s `consumer_timeout` of each work queue is longer than the longest deadline of its tasks',
    why: 'The channel of a consumer that holds a message longer is closed; all it holds is delivered again and counts towards the delivery limit.',
    fix: 'Remove `consumer-timeout` from the policy or the queue, or lower the deadline in the task’s contract.',
  },
  'grace-period': {
    looksAt: '`NIGHTSHIFT_DRAIN_GRACE_SECONDS` is as long as the longest deadline of the tasks worked on',
    why: 'A task longer than the grace period is handed back at every scale-in and begins anew: uncharged, but its time is lost.',
    fix: 'Raise NIGHTSHIFT_DRAIN_GRACE_SECONDS, and terminationGracePeriodSeconds of the pods to 15 s more.',
  },
  consumers: {
    looksAt: 'a living consumer works on every queue that has due tasks',
    why: 'Tasks of a queue that nobody works on are accepted and wait for ever.',
    fix: 'Start a consumer with the queue in NIGHTSHIFT_QUEUES, or see why the autoscaler does not.',
  },
} as const satisfies Record<string, Check>

export type CheckName = keyof typeof CHECKS
