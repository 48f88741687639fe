// What became of this X-Request-Id? Its tasks and their story from PostgreSQL, its traces from Tempo, its lines from Loki.
import { LogsSortOrder } from '@grafana/grafana-foundation-sdk/common'
import { type DashboardBuilder, TextBoxVariableBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs'
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { SearchTableType, DataqueryBuilder as TempoQuery } from '@grafana/grafana-foundation-sdk/tempo'
import { TextMode, PanelBuilder as TextPanel } from '@grafana/grafana-foundation-sdk/text'
import { sqlTable } from './panels.ts'
import { dashboard, datasourceVariable, LOKI, labelVariable, TEMPO } from './variables.ts'

const HELP = `Type the \`X-Request-Id\` of an answer into the box above; every task that it caused, every attempt and every line is
below. The same from a terminal, with one sentence why: \`nightshift why <id>\`, or \`GET /api/v1/requests/<id>\`.
A trace that was not sampled is not in Tempo; the other two panels show the request all the same.`

// The format sqlstring brings the quotes along and doubles those inside.
const TASKS = `select t.id, t.name, t.queue, t.client, coalesce(u.status, f.status) as status,
  coalesce(u.attempt, f.attempt) as attempts, coalesce(u.failures, f.failures) as failures,
  t.created_at as accepted, f.finished_at as finished, d.reason, d.error ->> 'message' as error, t.trace_id
from nightshift.task t
  left join nightshift.unfinished u on u.task_id = t.id
  left join nightshift.finished f on f.task_id = t.id
  left join nightshift.dead_letter d on d.task_id = t.id
where t.request_id in (\${request_id:sqlstring})
order by t.id
limit 100`

const TIMELINE = `with wanted as (
  select id, name, created_at, run_at, client from nightshift.task where request_id in (\${request_id:sqlstring}) order by id limit 100
)
select e.at, w.name as task, e.what, e.detail, w.id as "task id"
from wanted w cross join lateral (
  select w.created_at as at, 'accepted' as what, 'from ' || w.client as detail
  union all
  select a.started_at, 'attempt ' || a.attempt || ' began',
    'waited ' || round(extract(epoch from a.started_at - greatest(w.created_at, w.run_at)), 1) || ' s since it was accepted'
    from nightshift.attempt_history a where a.task_id = w.id
  union all
  select a.ended_at, 'attempt ' || a.attempt || ': ' || a.outcome, a.error ->> 'message' from nightshift.attempt_history a where a.task_id = w.id
  union all
  select u.started_at, 'attempt ' || u.attempt || ' began', 'it runs' from nightshift.unfinished u
    where u.task_id = w.id and u.status = 'RUNNING'
  union all
  select u.due_at, 'is due', u.status from nightshift.unfinished u where u.task_id = w.id and u.status <> 'RUNNING'
  union all
  select f.finished_at, f.status, null from nightshift.finished f where f.task_id = w.id
) e
order by e.at, e.what
limit 1000`

export function findRequest(): DashboardBuilder {
  return dashboard('nightshift-find-request', 'Nightshift: find a request', 'What became of this X-Request-Id?')
    .time({ from: 'now-24h', to: 'now' })
    .refresh('')
    .withVariable(datasourceVariable('datasource', 'Prometheus', 'prometheus'))
    .withVariable(datasourceVariable('tempo', 'Tempo', 'tempo'))
    .withVariable(datasourceVariable('loki', 'Loki', 'loki'))
    .withVariable(datasourceVariable('postgres', 'PostgreSQL', 'grafana-postgresql-datasource'))
    .withVariable(labelVariable('namespace', 'nightshift_build_info'))
    .withVariable(new TextBoxVariableBuilder('request_id').label('X-Request-Id').defaultValue(''))
    .withPanel(
      new TextPanel()
        .title('How to')
        .description('What this page is for.')
        .transparent(true)
        .span(24)
        .height(3)
        .mode(TextMode.Markdown)
        .content(HELP),
    )
    .withPanel(
      sqlTable({
        title: 'Tasks',
        says: 'What the request caused, and how it stands. Empty: no such request was accepted in the last 30 days; look for a refusal in the lines below.',
        sql: TASKS,
        width: 24,
        height: 6,
      }),
    )
    .withPanel(
      sqlTable({
        title: 'Timeline',
        says: 'What happened and when. An attempt that failed says why; the next one waits on its rung.',
        sql: TIMELINE,
        width: 12,
        height: 12,
      }),
    )
    .withPanel(
      new TablePanel()
        .title('Traces')
        .description(
          'Every trace with a span of this request: the first attempt, and one for each retry and redrive. Open one to see where the time went.',
        )
        .datasource(TEMPO)
        .unit('none')
        .span(12)
        .height(12)
        .withTarget(
          new TempoQuery()
            .refId('A')
            .datasource(TEMPO)
            .queryType('traceql')
            .query(
              '{ span.app.request.id = "$request_id" } | select(span.app.task.id, span.app.task.name, span.app.task.attempt, status)',
            )
            .tableType(SearchTableType.Traces)
            .filters([])
            .limit(50),
        ),
    )
    .withPanel(
      new LogsPanel()
        .title('Lines')
        .description('What every process logged about it, oldest first. A line with trace_id leads to its trace.')
        .datasource(LOKI)
        .span(24)
        .height(14)
        .showTime(true)
        .wrapLogMessage(true)
        .enableLogDetails(true)
        .sortOrder(LogsSortOrder.Ascending)
        .withTarget(
          new LokiQuery()
            .refId('A')
            .datasource(LOKI)
            .expr(
              '{namespace=~"$namespace", app=~"nightshift.*"} |= "$request_id" | json | request_id = "$request_id"',
            ),
        ),
    )
}
