// Why does a queue not drain? What waits and for how long, who works on it, what scales, and what they all stand on.
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { timeseries } from './panels.ts'
import { changes, dashboard, datasourceVariable, kedaEvents, labelVariable } from './variables.ts'

const NAMESPACE = 'namespace=~"$namespace"'
const QUEUE = `${NAMESPACE}, queue=~"$queue"`
const KEDA = 'exported_namespace=~"$namespace"'
const HPA = `${NAMESPACE}, horizontalpodautoscaler=~"keda-hpa-.+"`
const BROKER = 'instance=~"$instance"'
const WORK_QUEUES = `${BROKER}, queue=~"nightshift.task.($queue).v1"`

/** In the order in which they are read, from left to right and down. */
const PANELS = [
  timeseries({
    title: 'Ready',
    says: 'Messages that wait in the queue. Depth alone is no fault; together with a rising age it is: add consumers.',
    unit: 'short',
    width: 8,
    queries: [{ expr: `max by (queue) (nightshift_queue_ready{${QUEUE}})`, legend: '{{queue}}' }],
  }),
  timeseries({
    title: 'Unacknowledged',
    says: 'Deliveries in the hands of consumers, by their own count and by the broker. They differ for long: a consumer hangs or was cut off; restart it.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: `sum by (queue) (nightshift_queue_unacked{${QUEUE}})`, legend: '{{queue}}' },
      {
        expr: `sum by (queue) (rabbitmq_detailed_queue_messages_unacked{${WORK_QUEUES}})`,
        legend: 'broker: {{queue}}',
      },
    ],
  }),
  timeseries({
    title: 'Oldest waiting task',
    says: 'For how long the oldest due task has waited. Over 5 minutes it pages: see consumers and replicas below.',
    unit: 's',
    width: 8,
    badFrom: 300,
    queries: [{ expr: `max by (queue) (nightshift_queue_oldest_seconds{${QUEUE}})`, legend: '{{queue}}' }],
  }),
  timeseries({
    title: 'Backlog and its marks',
    says: 'Ready messages and due outbox rows. From the low mark on some who exceed their share get 429, from the high mark all. Falls by itself when the flood ends.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: `max by (queue) (nightshift_backlog{${QUEUE}})`, legend: '{{queue}}' },
      { expr: `max by (mark) (nightshift_admission_mark{${NAMESPACE}})`, legend: '{{mark}} mark' },
    ],
  }),
  timeseries({
    title: 'In and out',
    says: 'Per second: tasks accepted (all queues), tasks begun and deliveries acknowledged of each queue (settled, duplicate or parked). In above out for long: the backlog grows.',
    unit: 'ops',
    width: 8,
    queries: [
      { expr: `sum(rate(nightshift_tasks_accepted_total{${NAMESPACE}}[$__rate_interval]))`, legend: 'accepted' },
      { expr: `max by (queue) (nightshift_drain_per_second{${QUEUE}})`, legend: 'begun: {{queue}}' },
      {
        expr: `sum by (queue) (rate(nightshift_deliveries_acked_total{${QUEUE}}[$__rate_interval]))`,
        legend: 'acknowledged: {{queue}}',
      },
      {
        expr: `sum by (queue) (rate(nightshift_deliveries_nacked_total{${QUEUE}}[$__rate_interval]))`,
        legend: 'unreadable: {{queue}}',
      },
    ],
  }),
  timeseries({
    title: 'Consumers',
    says: 'Subscriptions that the broker counts, by queue, and processes whose lease is alive. 0 with messages ready: nobody works; see the runbook NightshiftNoConsumers.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: `max by (queue) (nightshift_queue_consumers{${QUEUE}})`, legend: '{{queue}}' },
      { expr: `max(nightshift_consumers_alive{${NAMESPACE}})`, legend: 'with a lease' },
    ],
  }),
  timeseries({
    title: 'Slots in use',
    says: 'Attempts running, of those that may run at once. At 100 % with a backlog: more consumers help. Low with a backlog: they wait for something else.',
    unit: 'percentunit',
    width: 8,
    queries: [
      {
        expr: `sum by (queue) (nightshift_in_flight{${QUEUE}}) / sum by (queue) (nightshift_slots{${QUEUE}})`,
        legend: '{{queue}}',
      },
    ],
  }),
  timeseries({
    title: 'What KEDA reads, and its target',
    says: 'The figure that replicas are computed from, and the target for each replica. 0 while messages are ready: the management API counts nothing; see the runbook NightshiftScalerReadsZero.',
    unit: 'short',
    width: 8,
    queries: [
      {
        expr: `sum by (scaledObject, metric) (keda_scaler_metrics_value{${KEDA}})`,
        legend: '{{scaledObject}} {{metric}}',
      },
      {
        expr: `max by (horizontalpodautoscaler, metric_name) (kube_horizontalpodautoscaler_spec_target_metric{${HPA}})`,
        legend: 'target: {{horizontalpodautoscaler}} {{metric_name}}',
      },
      {
        expr: `sum by (scaledObject) (rate(keda_scaler_detail_errors_total{${KEDA}}[$__rate_interval]))`,
        legend: 'errors per second: {{scaledObject}}',
      },
    ],
  }),
  timeseries({
    title: 'Replicas',
    says: 'Desired, current and most. Current below desired: pods do not start. Desired at the most with a growing backlog: raise the most, if PostgreSQL can carry it.',
    unit: 'short',
    width: 8,
    queries: [
      {
        expr: `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas{${HPA}})`,
        legend: 'desired: {{horizontalpodautoscaler}}',
      },
      {
        expr: `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{${HPA}})`,
        legend: 'current: {{horizontalpodautoscaler}}',
      },
      {
        expr: `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_max_replicas{${HPA}})`,
        legend: 'most: {{horizontalpodautoscaler}}',
      },
    ],
  }),
  timeseries({
    title: 'Outbox rows',
    says: 'Accepted and due, not yet confirmed by RabbitMQ. Growing: RabbitMQ is away or blocks; accepting goes on up to OUTBOX_HIGH.',
    unit: 'short',
    width: 8,
    queries: [{ expr: `max(nightshift_outbox_rows{${NAMESPACE}})`, legend: 'rows' }],
  }),
  timeseries({
    title: 'Age of the outbox',
    says: 'Of its oldest due row. Over a minute it pages: nothing is published; see the runbook NightshiftOutboxStalled.',
    unit: 's',
    width: 8,
    badFrom: 60,
    queries: [{ expr: `max(nightshift_outbox_oldest_seconds{${NAMESPACE}})`, legend: 'oldest' }],
  }),
  timeseries({
    title: 'Publishing',
    says: 'Messages per second by what the broker answered. returned: a queue is missing. unknown: no answer; the sweep publishes them again.',
    unit: 'ops',
    width: 8,
    queries: [
      {
        expr: `sum by (result) (rate(nightshift_published_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: '{{result}}',
      },
    ],
  }),
  timeseries({
    title: 'Time to confirm',
    says: 'From publish to confirm. High: the disks of RabbitMQ are slow, or it is short of memory.',
    unit: 's',
    width: 8,
    queries: [0.5, 0.99].map((quantile) => ({
      expr: `histogram_quantile(${quantile}, sum by (le) (rate(nightshift_confirm_seconds_bucket{${NAMESPACE}}[$__rate_interval])))`,
      legend: `p${quantile * 100}`,
      exemplar: true as const,
    })),
  }),
  timeseries({
    title: 'RabbitMQ: room before it blocks publishers',
    says: 'Memory and disk left before the alarm. At 0 publishers are blocked and the outbox grows: drain the queues, do not restart the broker.',
    unit: 'bytes',
    width: 8,
    queries: [
      {
        expr: `rabbitmq_resident_memory_limit_bytes{${BROKER}} - rabbitmq_process_resident_memory_bytes{${BROKER}}`,
        legend: 'memory: {{instance}}',
      },
      {
        expr: `rabbitmq_disk_space_available_bytes{${BROKER}} - rabbitmq_disk_space_available_limit_bytes{${BROKER}}`,
        legend: 'disk: {{instance}}',
      },
    ],
  }),
  timeseries({
    title: 'Connections to RabbitMQ',
    says: 'Share of the connections of each kind that can be used. Below 1: RabbitMQ is away or blocks; /health/consumers tells why.',
    unit: 'percentunit',
    width: 8,
    queries: [{ expr: `avg by (connection) (nightshift_broker_ready{${NAMESPACE}})`, legend: '{{connection}}' }],
  }),
  timeseries({
    title: 'Connections to PostgreSQL',
    says: 'Busy ones of each pool, and callers that wait for one. Waiting for long: raise DB_POOL if PostgreSQL has connections left, else find the slow statement.',
    unit: 'short',
    width: 8,
    queries: [
      { expr: `sum by (pool) (nightshift_db_connections{${NAMESPACE}, state="busy"})`, legend: '{{pool}} busy' },
      { expr: `sum by (pool) (nightshift_db_waiting{${NAMESPACE}})`, legend: '{{pool}} waiting' },
    ],
  }),
  timeseries({
    title: 'Event loop lag',
    says: 'Longest standstill between two scrapes, of the worst process of each role. Over 0.5 s again and again: a handler computes without pause; move that work to a thread. At the lease the process ends.',
    unit: 's',
    width: 8,
    badFrom: 0.5,
    queries: [
      {
        expr: `max by (role) (nodejs_eventloop_lag_max_seconds{${NAMESPACE}} * on (namespace, job, instance) group_left (role) nightshift_build_info{${NAMESPACE}})`,
        legend: '{{role}}',
      },
    ],
  }),
  timeseries({
    title: 'Memory of processes',
    says: 'Resident memory, the largest process of each role. A steady rise: a handler keeps what it should not; compare versions.',
    unit: 'bytes',
    width: 8,
    queries: [
      {
        expr: `max by (role) (process_resident_memory_bytes{${NAMESPACE}} * on (namespace, job, instance) group_left (role) nightshift_build_info{${NAMESPACE}})`,
        legend: '{{role}}',
      },
    ],
  }),
  timeseries({
    title: 'Tasks in one commit',
    says: 'Mean rows of an accepting commit. Always 1 under load: requests arrive one after the other, or batching is broken.',
    unit: 'short',
    width: 24,
    queries: [
      {
        expr: `sum(rate(nightshift_accept_batch_rows_sum{${NAMESPACE}}[$__rate_interval])) / sum(rate(nightshift_accept_batch_rows_count{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'rows',
      },
    ],
  }),
]

export function queues(): DashboardBuilder {
  const board = dashboard('nightshift-queues', 'Nightshift: queues and scaling', 'Why does a queue not drain?')
    .withVariable(datasourceVariable('datasource', 'Prometheus', 'prometheus'))
    .withVariable(datasourceVariable('loki', 'Loki', 'loki'))
    .withVariable(labelVariable('namespace', 'nightshift_build_info'))
    .withVariable(labelVariable('queue', 'nightshift_queue_ready{namespace=~"$namespace"}'))
    .withVariable(labelVariable('instance', 'rabbitmq_identity_info').label('RabbitMQ'))
    .annotations([...changes(), kedaEvents()])
  return PANELS.reduce((made, panel) => made.withPanel(panel), board)
}
