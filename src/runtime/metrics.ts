/**
 * Every metric of the product, in one place; each help text says what to do when the figure is bad. Labels come from
 * closed sets: task names and queues from the contracts, clients from the known keys (else `other`).
 */
import { counter, gauge, histogram } from './instruments.ts'

const FAST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const SLOW = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600]

export const metrics = {
  tasksAccepted: counter(
    'tasks_accepted_total',
    'Tasks answered 202. A fall to 0 under traffic: look at the health of the api.',
    ['task', 'client'],
  ),
  tasksRejected: counter(
    'tasks_rejected_total',
    'Requests refused, by reason. A rise: ask the client that sends them.',
    ['reason'],
  ),
  acceptSeconds: histogram(
    'accept_seconds',
    'From request to 202. High: PostgreSQL is slow or the pool is too small.',
    FAST,
  ),
  acceptBatchRows: histogram(
    'accept_batch_rows',
    'Tasks per commit. Always 1 under load: batching does not work.',
    [1, 2, 5, 10, 25, 50, 100, 250, 500],
  ),
  outboxRows: gauge(
    'outbox_rows',
    'Rows waiting to be published, counted up to 1000001. Growing: RabbitMQ is away or blocked.',
  ),
  outboxOldestSeconds: gauge(
    'outbox_oldest_seconds',
    'Age of the oldest due row. Over 60: the relay does not publish.',
  ),
  published: counter(
    'published_total',
    'Publishes by result. returned: a queue is missing. unknown: connections break.',
    ['result'],
  ),
  confirmSeconds: histogram('confirm_seconds', 'From publish to confirm. High: the broker is overloaded.', FAST),
  inFlight: gauge('in_flight', 'Attempts running in this consumer. At the number of slots for long: scale out.', [
    'queue',
  ]),
  slots: gauge('slots', 'Attempts that this consumer runs at once. in_flight near it for long: scale out.', ['queue']),
  deliveriesAcked: counter(
    'deliveries_acked_total',
    'Deliveries acknowledged: attempts settled, duplicates, parked. 0 under load: nothing is finished.',
    ['queue'],
  ),
  deliveriesNacked: counter(
    'deliveries_nacked_total',
    'Deliveries that could not be understood. Any: see table unreadable_message.',
    ['queue'],
  ),
  attempts: counter('attempts_total', 'Attempts by task and outcome. Many failures: see the dead letters.', [
    'task',
    'outcome',
  ]),
  attemptSeconds: histogram(
    'attempt_seconds',
    'How long an attempt ran. Near the deadline: raise it or find what is slow.',
    SLOW,
    ['task'],
  ),
  queueWaitSeconds: histogram('queue_wait_seconds', 'From due to started. High: too few consumers.', SLOW, ['queue']),
  queueReady: gauge(
    'queue_ready',
    'Messages ready in the work queue. Growing while queue_oldest_seconds grows too: add consumers.',
    ['queue'],
  ),
  queueUnacked: gauge(
    'queue_unacked',
    'Deliveries that this consumer holds unacknowledged; the sum over consumers is what the broker counts. More than the slots: a bug.',
    ['queue'],
  ),
  queueOldestSeconds: gauge(
    'queue_oldest_seconds',
    'Since when the longest waiting due task has waited. Over 300: too few consumers, or none that work.',
    ['queue'],
  ),
  queueConsumers: gauge('queue_consumers', 'Consumers of the work queue. 0 with ready messages: nobody works.', [
    'queue',
  ]),
  consumersAlive: gauge(
    'consumers_alive',
    'Consumer processes whose lease is alive. Fewer than replicas: those do not reach PostgreSQL.',
  ),
  deadLetters: gauge('dead_letters', 'Tasks that are FAILED and wait for a decision. Growing: triage by fingerprint.'),
  backlog: gauge('backlog', 'Ready messages and due outbox rows of a queue. Above admission_mark: clients get 429.', [
    'queue',
  ]),
  drainPerSecond: gauge(
    'drain_per_second',
    'Tasks begun per second, all consumers together: what admission shares out. Falling under load: consumers are slow or gone.',
    ['queue'],
  ),
  admissionMark: gauge(
    'admission_mark',
    'The backlog from which clients over their share are refused: some (low), all (high). Set by DEPTH_LOW and DEPTH_HIGH.',
    ['mark'],
  ),
  auditReoffered: counter(
    'audit_reoffered_total',
    'Tasks offered again, by cause. lost: the broker lost messages. dead_consumer: consumers die.',
    ['cause'],
  ),
  retries: counter('retries_total', 'Retries by rung. A storm: a dependency is down.', ['rung']),
  deadLettered: counter(
    'dead_lettered_total',
    'Tasks that became FAILED. Any: triage with `nightshift dead-letters`.',
    ['task'],
  ),
  duplicatesDropped: counter(
    'duplicates_dropped_total',
    'Deliveries that had nothing to begin. A few are normal after restarts.',
  ),
  fencedWrites: counter(
    'fenced_writes_total',
    'Writes refused because another had decided. A few are normal after stalls.',
  ),
  unaccountedTasks: gauge(
    'unaccounted_tasks',
    'Tasks found lost and not yet offered again. Not 0 for long: maintenance does not run.',
  ),
  podDeletionCosts: counter(
    'pod_deletion_costs_total',
    'Deletion costs of pods by result. failed rising: the API server is away or the api may not patch pods.',
    ['result'],
  ),
  doctorFindings: gauge(
    'doctor_findings',
    'What the doctor found at its last look, by level. Any problem: see /health/ready or run nightshift doctor.',
    ['level'],
  ),
  leasesLost: counter('leases_lost_total', 'Leases this consumer lost. Any: stalls, or PostgreSQL was away.'),
  brokerReady: gauge(
    'broker_ready',
    '1 while this connection to RabbitMQ is usable. 0: RabbitMQ is away or blocks publishers; accepting goes on.',
    ['connection'],
  ),
  dbConnections: gauge(
    'db_connections',
    'Connections of a pool to PostgreSQL, busy or idle. Always all busy: the pool is too small or PostgreSQL is slow.',
    ['pool', 'state'],
  ),
  dbWaiting: gauge(
    'db_waiting',
    'Callers that wait for a connection of the pool. Above 0 for long: raise DB_POOL, or find what is slow.',
    ['pool'],
  ),
  buildInfo: gauge('build_info', 'Always 1; the labels tell the build. Two builds for long: a deployment is stuck.', [
    'version',
    'commit',
    'role',
  ]),
}
