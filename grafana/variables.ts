// What the dashboards share: data sources, variables, links to each other, and the marks of deploys and scaling.
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import { DataqueryBuilder as PrometheusQuery } from '@grafana/grafana-foundation-sdk/prometheus'

/** How Grafana writes the value of a variable. */
const inBraces = (variable: string): string => `\${${variable}}`

export const PROMETHEUS = { type: 'prometheus', uid: inBraces('datasource') }
export const TEMPO = { type: 'tempo', uid: inBraces('tempo') }
export const LOKI = { type: 'loki', uid: inBraces('loki') }
export const POSTGRES = { type: 'grafana-postgresql-datasource', uid: inBraces('postgres') }

/** Picks a data source of one kind, so that no dashboard knows where it will be installed. */
export function datasourceVariable(name: string, label: string, type: string): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder(name).label(label).type(type)
}

/** Picks values of a label; "All" also takes series that do not have the label, as outside of Kubernetes. */
export function labelVariable(name: string, from: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(PROMETHEUS)
    .query({ query: `label_values(${from}, ${name})`, refId: `variable-${name}` })
    .definition(`label_values(${from}, ${name})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' })
}

const TAG = 'nightshift'

/** Begins a dashboard; `uid` is for ever, because runbooks and bookmarks lead to it. */
export function dashboard(uid: string, title: string, says: string): DashboardBuilder {
  return new DashboardBuilder(title)
    .uid(uid)
    .description(says)
    .tags([TAG, 'generated'])
    .readonly()
    .time({ from: 'now-3h', to: 'now' })
    .timezone('browser')
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('Nightshift')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .includeVars(true)
        .keepTime(true),
    )
}

/** Marks when another version came and when the number of replicas was changed. */
export function changes(): AnnotationQueryBuilder[] {
  const mark = (name: string, color: string, expr: string, title: string): AnnotationQueryBuilder =>
    new AnnotationQueryBuilder()
      .name(name)
      .datasource(PROMETHEUS)
      .enable(true)
      .iconColor(color)
      .expr(expr)
      .step('60s')
      .titleFormat(title)
      .target(new PrometheusQuery().refId(name).expr(expr).interval('60s'))
  return [
    mark(
      'Deploys',
      'blue',
      'count by (version, commit) (nightshift_build_info{namespace=~"$namespace"} unless on (version, commit) nightshift_build_info{namespace=~"$namespace"} offset 5m)',
      'version {{version}}, commit {{commit}}',
    ),
    mark(
      'Scaling',
      'purple',
      'changes(kube_horizontalpodautoscaler_status_desired_replicas{namespace=~"$namespace", horizontalpodautoscaler=~"keda-hpa-.+"}[1m]) > 0',
      '{{horizontalpodautoscaler}} scaled',
    ),
  ]
}

/** Marks what KEDA told Kubernetes: activated, deactivated, fallback. */
export function kedaEvents(): AnnotationQueryBuilder {
  const expr = '{namespace=~"$namespace", app=~".+"} |~ "KEDAScaleTarget|ScaledObjectFallback"'
  return new AnnotationQueryBuilder()
    .name('KEDA events')
    .datasource(LOKI)
    .enable(false)
    .iconColor('orange')
    .expr(expr)
    .target(new LokiQuery().refId('KEDA events').expr(expr))
}
