// What makes each alert fire, and what must not. Series are in the notation of promtool: "0+10x5" begins at 0 and rises
// by 10, five times, once a minute. https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/

export type SeriesByName = Readonly<Record<string, string>>

export interface AlertCase {
  readonly alert: string
  readonly severity: 'page' | 'ticket'
  /** It fires with these after `at`, and not a minute into them. */
  readonly fires: SeriesByName
  readonly at: string
  readonly labels: Readonly<Record<string, string>>
  readonly summary: string
  /** What looks alike and is well. */
  readonly isWell: SeriesByName
}

const NS = 'namespace="night"'
const QUEUE = `${NS}, queue="trial"`
const HPA = `${NS}, horizontalpodautoscaler="keda-hpa-x"`
const KEDA = 'exported_namespace="night", scaledObject="trial", scaler="rabbitMQScaler"'
const inNamespace = { namespace: 'night' }
const ofQueue = { ...inNamespace, queue: 'trial' }

export const CASES: readonly AlertCase[] = [
  {
    alert: 'NightshiftQueueStale',
    severity: 'page',
    fires: { [`nightshift_queue_oldest_seconds{${QUEUE}}`]: '250+60x30' },
    at: '10m',
    labels: ofQueue,
    summary: 'A task of queue trial has waited for 14m 10s.',
    // Deep, but worked off: depth alone wakes nobody.
    isWell: {
      [`nightshift_queue_oldest_seconds{${QUEUE}}`]: '60x30',
      [`nightshift_queue_ready{${QUEUE}}`]: '1000000x30',
      [`nightshift_queue_consumers{${QUEUE}}`]: '5x30',
      [`nightshift_backlog{${QUEUE}}`]: '1000000x30',
    },
  },
  {
    alert: 'NightshiftNoConsumers',
    severity: 'page',
    fires: { [`nightshift_queue_ready{${QUEUE}}`]: '0 3x30', [`nightshift_queue_consumers{${QUEUE}}`]: '0x30' },
    at: '5m',
    labels: ofQueue,
    summary: 'Queue trial has messages and no consumer.',
    isWell: { [`nightshift_queue_ready{${QUEUE}}`]: '0x30', [`nightshift_queue_consumers{${QUEUE}}`]: '0x30' },
  },
  {
    alert: 'NightshiftOutboxStalled',
    severity: 'page',
    fires: { [`nightshift_outbox_oldest_seconds{${NS}}`]: '0+60x30' },
    at: '5m',
    labels: inNamespace,
    summary: 'Accepted tasks have not been published for 5m 0s.',
    isWell: { [`nightshift_outbox_oldest_seconds{${NS}}`]: '5x30', [`nightshift_outbox_rows{${NS}}`]: '100000x30' },
  },
  {
    alert: 'NightshiftShedding',
    severity: 'ticket',
    fires: { [`nightshift_tasks_rejected_total{${NS}, reason="queue-full"}`]: '0+60x30' },
    at: '15m',
    labels: inNamespace,
    summary: 'Clients have been answered 429 for ten minutes.',
    isWell: {
      [`nightshift_tasks_rejected_total{${NS}, reason="queue-full"}`]: '100x30',
      [`nightshift_tasks_rejected_total{${NS}, reason="invalid-input"}`]: '0+60x30',
    },
  },
  {
    alert: 'NightshiftTasksUnaccounted',
    severity: 'page',
    fires: { [`nightshift_unaccounted_tasks{${NS}}`]: '0 1000x30' },
    at: '8m',
    labels: inNamespace,
    summary: '1000 accepted tasks are found lost and not offered again.',
    isWell: { [`nightshift_unaccounted_tasks{${NS}}`]: '1000x2 0x30' },
  },
  {
    alert: 'NightshiftMessagesLost',
    severity: 'ticket',
    fires: { [`nightshift_audit_reoffered_total{${NS}, cause="lost"}`]: '0x3 5x30' },
    at: '6m',
    labels: inNamespace,
    summary: 'RabbitMQ lost messages; their tasks are offered again.',
    isWell: {
      [`nightshift_audit_reoffered_total{${NS}, cause="lost"}`]: '5x30',
      [`nightshift_audit_reoffered_total{${NS}, cause="dead_consumer"}`]: '0+5x30',
    },
  },
  {
    alert: 'NightshiftUnroutable',
    severity: 'ticket',
    fires: { [`nightshift_published_total{${NS}, result="returned"}`]: '0+1x30' },
    at: '10m',
    labels: inNamespace,
    summary: 'RabbitMQ returns messages because a queue is missing.',
    isWell: { [`nightshift_published_total{${NS}, result="confirmed"}`]: '0+100x30' },
  },
  {
    alert: 'NightshiftUnreadableMessages',
    severity: 'ticket',
    fires: { [`nightshift_deliveries_nacked_total{${QUEUE}}`]: '0x3 1x30' },
    at: '6m',
    labels: ofQueue,
    summary: 'Queue trial received messages that cannot be understood.',
    isWell: { [`nightshift_deliveries_nacked_total{${QUEUE}}`]: '0x30' },
  },
  {
    alert: 'NightshiftMetricsMissing',
    severity: 'page',
    fires: { [`nightshift_build_info{${NS}, role="consumer"}`]: '1x30' },
    at: '10m',
    labels: {},
    summary: 'No api of Nightshift is scraped: either none runs, or nobody watches.',
    isWell: { [`nightshift_build_info{${NS}, role="api"}`]: '1x30' },
  },
  {
    alert: 'NightshiftAcceptErrors',
    severity: 'page',
    // Nothing was ever accepted: the share is 100 % and not unknown.
    fires: { [`nightshift_tasks_rejected_total{${NS}, reason="unavailable"}`]: '0+60x30' },
    at: '10m',
    labels: inNamespace,
    summary: '100% of the submissions fail by our own fault.',
    isWell: {
      [`nightshift_tasks_rejected_total{${NS}, reason="unavailable"}`]: '0+1x30',
      [`nightshift_tasks_rejected_total{${NS}, reason="invalid-input"}`]: '0+600x30',
      [`nightshift_tasks_accepted_total{${NS}, task="a", client="b"}`]: '0+600x30',
    },
  },
  {
    alert: 'NightshiftErrorRateHigh',
    severity: 'page',
    fires: {
      [`nightshift_attempts_total{${NS}, task="mail", outcome="failure"}`]: '0+50x40',
      [`nightshift_attempts_total{${NS}, task="mail", outcome="success"}`]: '0+50x40',
    },
    at: '25m',
    labels: { ...inNamespace, task: 'mail' },
    summary: '50% of the attempts of mail fail.',
    isWell: {
      [`nightshift_attempts_total{${NS}, task="mail", outcome="failure"}`]: '0+10x40',
      [`nightshift_attempts_total{${NS}, task="mail", outcome="success"}`]: '0+90x40',
      // Our own restarts are no failure of the task.
      [`nightshift_attempts_total{${NS}, task="mail", outcome="handed_back"}`]: '0+50x40',
    },
  },
  {
    alert: 'NightshiftDeadLetters',
    severity: 'ticket',
    fires: { [`nightshift_dead_lettered_total{${NS}, task="mail"}`]: '0x3 1x30' },
    at: '6m',
    labels: { ...inNamespace, task: 'mail' },
    summary: 'Tasks of mail became FAILED.',
    isWell: {
      [`nightshift_dead_lettered_total{${NS}, task="mail"}`]: '7x30',
      [`nightshift_dead_letters{${NS}}`]: '7x30',
    },
  },
  {
    alert: 'NightshiftConsumersDying',
    severity: 'ticket',
    fires: { [`nightshift_audit_reoffered_total{${NS}, cause="dead_consumer"}`]: '0x3 2x30' },
    at: '6m',
    labels: inNamespace,
    summary: 'Consumers died with tasks in hand.',
    isWell: { [`nightshift_audit_reoffered_total{${NS}, cause="lost"}`]: '0+1x30' },
  },
  {
    alert: 'NightshiftLeasesLost',
    severity: 'ticket',
    fires: { [`nightshift_leases_lost_total{${NS}}`]: '0x3 1x30' },
    at: '6m',
    labels: inNamespace,
    summary: 'Consumers lost their lease and gave up their attempts.',
    isWell: { [`nightshift_leases_lost_total{${NS}}`]: '1x30' },
  },
  {
    alert: 'NightshiftEventLoopLag',
    severity: 'ticket',
    fires: {
      [`nodejs_eventloop_lag_max_seconds{${NS}, job="n", instance="pod-1"}`]: '2x31',
      [`nightshift_build_info{${NS}, job="n", instance="pod-1", role="consumer", version="1"}`]: '1x31',
    },
    at: '15m',
    labels: { ...inNamespace, instance: 'pod-1', role: 'consumer' },
    summary: 'The consumer at pod-1 computes without pause for 2s.',
    // Another program of the same cluster.
    isWell: {
      [`nodejs_eventloop_lag_max_seconds{${NS}, job="shop", instance="shop-1"}`]: '2x30',
      [`nightshift_build_info{${NS}, job="n", instance="pod-1", role="consumer", version="1"}`]: '1x31',
    },
  },
  {
    alert: 'NightshiftPoolExhausted',
    severity: 'ticket',
    fires: { [`nightshift_db_waiting{${NS}, pool="effects"}`]: '0 3x30' },
    at: '15m',
    labels: { ...inNamespace, pool: 'effects' },
    summary: 'Callers always wait for a connection of the pool effects.',
    isWell: { [`nightshift_db_waiting{${NS}, pool="effects"}`]: '9 0 9 9 0 9 9 0 9 9 0 9 9 0 9 9 0 9 9 0' },
  },
  {
    alert: 'NightshiftQueueWithoutReplicas',
    severity: 'page',
    fires: {
      [`nightshift_queue_ready{${QUEUE}}`]: '0 3x30',
      [`nightshift_queue_consumers{${QUEUE}}`]: '0x30',
      [`kube_horizontalpodautoscaler_status_current_replicas{${HPA}}`]: '0x30',
    },
    at: '8m',
    labels: ofQueue,
    summary: 'Queue trial has messages and its consumers are scaled to 0.',
    isWell: {
      [`nightshift_queue_ready{${QUEUE}}`]: '3x30',
      [`nightshift_queue_consumers{${QUEUE}}`]: '1x30',
      [`kube_horizontalpodautoscaler_status_current_replicas{${HPA}}`]: '0x30',
    },
  },
  {
    alert: 'NightshiftScalerReadsZero',
    severity: 'page',
    fires: {
      [`nightshift_queue_ready{${QUEUE}}`]: '0 40x30',
      [`keda_scaler_metrics_value{${KEDA}, metric="s0-rabbitmq-nightshift-task-trial-v1"}`]: '0x30',
    },
    at: '10m',
    labels: ofQueue,
    summary: 'KEDA reads 0 for queue trial, which has 40 messages.',
    isWell: {
      [`nightshift_queue_ready{${QUEUE}}`]: '40x30',
      [`keda_scaler_metrics_value{${KEDA}, metric="s0-rabbitmq-nightshift-task-trial-v1"}`]: '40x30',
      [`keda_scaler_metrics_value{${KEDA}, metric="s0-rabbitmq-nightshift-task-mail-v1"}`]: '0x30',
    },
  },
  {
    alert: 'NightshiftScalerErrors',
    severity: 'ticket',
    fires: {
      [`keda_scaler_detail_errors_total{${KEDA}}`]: '0+1x30',
      [`nightshift_build_info{${NS}, role="api"}`]: '1x30',
    },
    at: '12m',
    labels: { ...inNamespace, scaledObject: 'trial' },
    summary: 'KEDA cannot read what trial scales by.',
    // Somebody else's ScaledObject.
    isWell: {
      'keda_scaler_detail_errors_total{exported_namespace="shop", scaledObject="shop"}': '0+1x30',
      [`nightshift_build_info{${NS}, role="api"}`]: '1x30',
    },
  },
  {
    alert: 'NightshiftGrowingAtMaxReplicas',
    severity: 'ticket',
    fires: {
      [`nightshift_backlog{${QUEUE}}`]: '0+100x60',
      [`nightshift_queue_oldest_seconds{${QUEUE}}`]: '0+30x60',
      [`kube_horizontalpodautoscaler_status_current_replicas{${HPA}}`]: '10x60',
      [`kube_horizontalpodautoscaler_spec_max_replicas{${HPA}}`]: '10x60',
    },
    at: '30m',
    labels: ofQueue,
    summary: 'Queue trial grows although all replicas are there.',
    isWell: {
      [`nightshift_backlog{${QUEUE}}`]: '0+100x60',
      [`nightshift_queue_oldest_seconds{${QUEUE}}`]: '0+30x60',
      [`kube_horizontalpodautoscaler_status_current_replicas{${HPA}}`]: '9x60',
      [`kube_horizontalpodautoscaler_spec_max_replicas{${HPA}}`]: '10x60',
    },
  },
  {
    alert: 'NightshiftBrokerAway',
    severity: 'ticket',
    fires: { [`nightshift_broker_ready{${NS}, instance="pod-1", connection="publish"}`]: '1 0x30' },
    at: '5m',
    labels: { ...inNamespace, instance: 'pod-1', connection: 'publish' },
    summary: 'The connection to publish of pod-1 cannot be used.',
    isWell: { [`nightshift_broker_ready{${NS}, instance="pod-1", connection="publish"}`]: '1 0 1 1 0 1 1 0 1 1x20' },
  },
  {
    alert: 'NightshiftRabbitmqMemoryLow',
    severity: 'ticket',
    fires: {
      'rabbitmq_process_resident_memory_bytes{instance="rabbit-0"}': '100+100x30',
      'rabbitmq_resident_memory_limit_bytes{instance="rabbit-0"}': '1000x30',
    },
    at: '20m',
    labels: { instance: 'rabbit-0' },
    summary: 'RabbitMQ at rabbit-0 is about to block publishers, or does.',
    isWell: {
      'rabbitmq_process_resident_memory_bytes{instance="rabbit-0"}': '700x30',
      'rabbitmq_resident_memory_limit_bytes{instance="rabbit-0"}': '1000x30',
      'rabbitmq_alarms_memory_used_watermark{instance="rabbit-0"}': '0x30',
      'rabbitmq_alarms_free_disk_space_watermark{instance="rabbit-0"}': '0x30',
    },
  },
  {
    alert: 'NightshiftRabbitmqDropsDeadLetters',
    severity: 'ticket',
    fires: {
      'rabbitmq_global_messages_dead_lettered_expired_total{instance="rabbit-0", dead_letter_strategy="disabled"}':
        '0x3 4x30',
    },
    at: '6m',
    labels: { instance: 'rabbit-0' },
    summary: 'RabbitMQ at rabbit-0 drops messages instead of dead-lettering them.',
    isWell: {
      'rabbitmq_global_messages_dead_lettered_expired_total{instance="rabbit-0", dead_letter_strategy="at_least_once"}':
        '0+4x30',
    },
  },
]
