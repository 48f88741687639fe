// Is Nightshift well? What comes in, what becomes of it, how long it takes, whether anything is lost, and who sends it.
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { heatmap, sqlTable, stat, table, timeseries } from './panels.ts'
import { changes, dashboard, datasourceVariable, labelVariable } from './variables.ts'

const NAMESPACE = 'namespace=~"$namespace"'
const TASK = `${NAMESPACE}, task=~"$task"`

const quantiles = (metric: string, labels: string, by = ''): { expr: string; legend: string; exemplar: true }[] =>
  [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${by}le) (rate(${metric}_bucket{${labels}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
    exemplar: true,
  }))

const BURSTS = `select client, task, sum(accepted) as accepted, sum(refused) as refused,
  max(accepted + refused) / 10.0 as "peak per second"
from nightshift.burst
where $__timeFilter(at)
group by client, task
order by sum(accepted + refused) desc
limit 20`

/** In the order in which they are read, from left to right and down. */
const PANELS = [
  stat({
    title: 'Accepted',
    says: 'Tasks answered 202 per second. A fall to 0 under traffic: look at the refusals beside it, then at /health/ready.',
    unit: 'reqps',
    width: 4,
    queries: [{ expr: `sum(rate(nightshift_tasks_accepted_total{${TASK}}[$__rate_interval]))`, legend: 'accepted' }],
  }),
  stat({
    title: 'Refused by our fault',
    says: 'Share of submissions answered 5xx. Not 0: PostgreSQL is away or slow; see the runbook NightshiftAcceptErrors.',
    unit: 'percentunit',
    width: 4,
    badFrom: 0.01,
    queries: [
      {
        expr: `sum(rate(nightshift_tasks_rejected_total{${NAMESPACE}, reason=~"unavailable|internal"}[$__rate_interval])) / (sum(rate(nightshift_tasks_rejected_total{${NAMESPACE}, reason=~"unavailable|internal"}[$__rate_interval])) + sum(rate(nightshift_tasks_accepted_total{${NAMESPACE}}[$__rate_interval])))`,
        legend: 'refused',
      },
    ],
  }),
  stat({
    title: 'Failing attempts',
    says: 'Share of attempts that fail. Over 20 %: something that the handlers call is down; `nightshift dead-letters` groups the errors.',
    unit: 'percentunit',
    width: 4,
    badFrom: 0.2,
    queries: [
      {
        expr: `sum(rate(nightshift_attempts_total{${TASK}, outcome="failure"}[$__rate_interval])) / sum(rate(nightshift_attempts_total{${TASK}}[$__rate_interval]))`,
        legend: 'failing',
      },
    ],
  }),
  stat({
    title: 'Oldest waiting task',
    says: 'For how long the oldest due task has waited, of all queues. Over 5 minutes: go to "queues and scaling" and see which.',
    unit: 's',
    width: 4,
    badFrom: 300,
    queries: [{ expr: `max(nightshift_queue_oldest_seconds{${NAMESPACE}})`, legend: 'oldest' }],
  }),
  stat({
    title: 'Dead letters',
    says: 'Tasks that are FAILED and wait for a decision: mend the cause, then `nightshift redrive`.',
    unit: 'short',
    width: 4,
    badFrom: 1,
    queries: [{ expr: `max(nightshift_dead_letters{${NAMESPACE}})`, legend: 'dead letters' }],
  }),
  stat({
    title: 'Unaccounted tasks',
    says: 'Accepted tasks that were found lost and are not yet offered again: the promise itself. It must be 0; see the runbook NightshiftTasksUnaccounted.',
    unit: 'short',
    width: 4,
    badFrom: 1,
    queries: [{ expr: `max(nightshift_unaccounted_tasks{${NAMESPACE}})`, legend: 'unaccounted' }],
  }),
  timeseries({
    title: 'Accepted and refused',
    says: 'Tasks per second, accepted by type and refused by reason. queue-full is the door holding back a flood: see who sends most, below.',
    unit: 'reqps',
    width: 12,
    queries: [
      {
        expr: `sum by (task) (rate(nightshift_tasks_accepted_total{${TASK}}[$__rate_interval]))`,
        legend: '{{task}}',
      },
      {
        expr: `sum by (reason) (rate(nightshift_tasks_rejected_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'refused: {{reason}}',
      },
    ],
  }),
  timeseries({
    title: 'Outcomes',
    says: 'Attempts per second by outcome, retries, and tasks that became FAILED. handed_back is a drain or an outage of ours and costs nothing.',
    unit: 'ops',
    width: 12,
    queries: [
      {
        expr: `sum by (outcome) (rate(nightshift_attempts_total{${TASK}}[$__rate_interval]))`,
        legend: '{{outcome}}',
      },
      {
        expr: `sum by (rung) (rate(nightshift_retries_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'retry in {{rung}}',
      },
      { expr: `sum(rate(nightshift_dead_lettered_total{${TASK}}[$__rate_interval]))`, legend: 'FAILED' },
    ],
  }),
  timeseries({
    title: 'Time to 202',
    says: 'From request to answer. High: PostgreSQL commits slowly, or the pool "accept" is always busy. A point leads to its trace.',
    unit: 's',
    width: 12,
    queries: quantiles('nightshift_accept_seconds', NAMESPACE),
  }),
  timeseries({
    title: 'Running time of attempts',
    says: 'How long attempts of the chosen tasks ran. Near the deadline: raise it, or open the trace of a slow one.',
    unit: 's',
    width: 12,
    queries: quantiles('nightshift_attempt_seconds', TASK),
  }),
  heatmap({
    title: 'Waiting time',
    says: 'From due to started, attempts per second in each range. A band that climbs: consumers do not keep up; add some, or see what is slow.',
    unit: 's',
    width: 12,
    queries: [
      {
        expr: `sum by (le) (increase(nightshift_queue_wait_seconds_bucket{${NAMESPACE}}[$__rate_interval]))`,
        legend: '{{le}}',
        exemplar: true,
      },
    ],
  }),
  timeseries({
    title: 'Lost and found',
    says: 'Tasks offered again because RabbitMQ lost their message or their consumer died, copies dropped, late writes refused. Nothing of it loses a task; much of it has a cause.',
    unit: 'ops',
    width: 12,
    queries: [
      {
        expr: `sum by (cause) (rate(nightshift_audit_reoffered_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'offered again: {{cause}}',
      },
      {
        expr: `sum(rate(nightshift_duplicates_dropped_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'copies dropped',
      },
      {
        expr: `sum(rate(nightshift_fenced_writes_total{${NAMESPACE}}[$__rate_interval]))`,
        legend: 'late writes refused',
      },
      { expr: `sum(rate(nightshift_leases_lost_total{${NAMESPACE}}[$__rate_interval]))`, legend: 'leases lost' },
    ],
  }),
  table({
    title: 'Who sends most',
    says: 'Tasks accepted in the chosen time by client (keys by name, else "other") and type. One far above the rest floods: talk to him.',
    unit: 'short',
    width: 12,
    queries: [
      {
        expr: `topk(20, sum by (client, task) (increase(nightshift_tasks_accepted_total{${TASK}}[$__range])))`,
        legend: '{{client}} {{task}}',
      },
    ],
  }),
  sqlTable({
    title: 'Bursts',
    says: 'Who asked for how much, accepted and refused, the largest first; the last day is kept. The same as `nightshift bursts`.',
    sql: BURSTS,
    width: 12,
  }),
]

export function overview(): DashboardBuilder {
  const board = dashboard(
    'nightshift-overview',
    'Nightshift: overview',
    'Is it well? What comes in and what becomes of it.',
  )
    .withVariable(datasourceVariable('datasource', 'Prometheus', 'prometheus'))
    .withVariable(datasourceVariable('postgres', 'PostgreSQL', 'grafana-postgresql-datasource'))
    .withVariable(labelVariable('namespace', 'nightshift_build_info'))
    .withVariable(labelVariable('task', 'nightshift_attempts_total{namespace=~"$namespace"}'))
    .annotations(changes())
  return PANELS.reduce((made, panel) => made.withPanel(panel), board)
}
