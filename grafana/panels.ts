// Makes panels alike: each has a title, a description that says what to do, a unit, and queries without a home.
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import { type Threshold, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as HeatmapPanel } from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder as PrometheusQuery, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { POSTGRES, PROMETHEUS } from './variables.ts'

export interface Query {
  readonly expr: string
  /** How a series is called, with labels in double braces. */
  readonly legend: string
  /** Shows the traces behind single values. */
  readonly exemplar?: true
}

export interface PanelOptions {
  readonly title: string
  /** What it means and what to do when it is bad. */
  readonly says: string
  /** As in Grafana: https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts */
  readonly unit: string
  readonly queries: readonly Query[]
  /** Of 24 columns. */
  readonly width: number
  /** From this value on it is bad. */
  readonly badFrom?: number
}

export function timeseries({ title, says, unit, queries, width, badFrom }: PanelOptions): TimeseriesPanel {
  const panel = new TimeseriesPanel()
    .title(title)
    .description(says)
    .datasource(PROMETHEUS)
    .unit(unit)
    .min(0)
    .span(width)
    .height(8)
    .fillOpacity(8)
    .lineWidth(2)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(['lastNotNull', 'max'])
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .targets(queries.map(prometheusQuery))
  if (badFrom === undefined) return panel
  return panel
    .thresholds(thresholds(badFrom))
    .thresholdsStyle({ build: () => ({ mode: GraphThresholdsStyleMode.Dashed }) })
}

/** One figure; with `badFrom` green below and red from there on. */
export function stat({ title, says, unit, queries, width, badFrom }: PanelOptions): StatPanel {
  const panel = new StatPanel()
    .title(title)
    .description(says)
    .datasource(PROMETHEUS)
    .unit(unit)
    .span(width)
    .height(4)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(badFrom === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .targets(queries.map(prometheusQuery))
  return badFrom === undefined ? panel : panel.thresholds(thresholds(badFrom))
}

/** How often which values occurred, from the buckets of a histogram by `le`. */
export function heatmap({ title, says, unit, queries, width }: PanelOptions): HeatmapPanel {
  return new HeatmapPanel()
    .title(title)
    .description(says)
    .datasource(PROMETHEUS)
    .unit(unit)
    .yAxis({ build: () => ({ unit }) })
    .span(width)
    .height(8)
    .calculate(false)
    .cellGap(1)
    .targets(queries.map((query, index) => prometheusQuery(query, index).format(PromQueryFormat.Heatmap)))
}

/** The newest values as rows, labels as columns. */
export function table({ title, says, unit, queries, width }: PanelOptions): TablePanel {
  return new TablePanel()
    .title(title)
    .description(says)
    .datasource(PROMETHEUS)
    .unit(unit)
    .span(width)
    .height(8)
    .targets(queries.map((query, index) => prometheusQuery(query, index).instant().format(PromQueryFormat.Table)))
    .withTransformation({ id: 'organize', options: { excludeByName: { Time: true } } })
}

export interface SqlTableOptions {
  readonly title: string
  readonly says: string
  readonly sql: string
  readonly width: number
  readonly height?: number
}

/** Rows of a query on Nightshift's database. */
export function sqlTable({ title, says, sql, width, height = 8 }: SqlTableOptions): TablePanel {
  const query = { refId: 'A', datasource: POSTGRES, editorMode: 'code', format: 'table', rawQuery: true, rawSql: sql }
  const target: Builder<Dataquery> = { build: () => query as unknown as Dataquery }
  return new TablePanel()
    .title(title)
    .description(says)
    .datasource(POSTGRES)
    .unit('none')
    .span(width)
    .height(height)
    .targets([target])
}

function prometheusQuery({ expr, legend, exemplar }: Query, index: number): PrometheusQuery {
  const query = new PrometheusQuery()
    .refId(String.fromCharCode(65 + index))
    .datasource(PROMETHEUS)
    .expr(expr)
    .legendFormat(legend)
    .range()
  return exemplar ? query.exemplar(true) : query
}

function thresholds(badFrom: number): ThresholdsConfigBuilder {
  const steps: Threshold[] = [
    { value: null, color: 'green' },
    { value: badFrom, color: 'red' },
  ]
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}
