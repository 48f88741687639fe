// Finds every query of the dashboards and the alerts, and reads which metrics and labels a PromQL expression names.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parser } from '@prometheus-io/lezer-promql'
import { parse } from 'yaml'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DASHBOARDS = join(ROOT, 'grafana/dashboards')
export const RULES = join(ROOT, 'grafana/alerts/nightshift.rules.yaml')

export interface Target {
  readonly refId: string
  readonly datasource: { readonly type: string; readonly uid: string }
  readonly expr?: string
  readonly legendFormat?: string
  readonly rawSql?: string
  readonly query?: string
}

export interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly description: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: { readonly defaults?: { readonly unit?: string } }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly Target[]
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly query?: string | { readonly query: string }
  readonly refresh?: number
}

export interface CommittedDashboard {
  readonly file: string
  readonly uid: string
  readonly title: string
  readonly editable: boolean
  readonly tags: readonly string[]
  readonly links: readonly { readonly keepTime: boolean; readonly includeVars: boolean }[]
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: {
    readonly list?: readonly {
      readonly name: string
      readonly datasource: { readonly type: string }
      readonly target: Target
    }[]
  }
  readonly text: string
}

/** Reads the dashboards as they are committed. */
export function committedDashboards(): CommittedDashboard[] {
  return readdirSync(DASHBOARDS).map((file) => {
    const text = readFileSync(join(DASHBOARDS, file), 'utf8')
    return { file, text, ...JSON.parse(text) }
  })
}

export interface PanelQuery {
  /** Dashboard, panel and query, to find it by. */
  readonly where: string
  readonly expr: string
  readonly legend: string
}

/** Lists every PromQL query of the dashboards: panels, annotations and variables. */
export function prometheusQueries(): PanelQuery[] {
  return committedDashboards().flatMap(({ file, panels, annotations, templating }) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ refId, expr, legendFormat = '', datasource }) =>
        expr !== undefined && datasource.type === 'prometheus'
          ? [{ where: `${file}: ${title} ${refId}`, expr, legend: legendFormat }]
          : [],
      ),
    ),
    ...(annotations.list ?? [])
      .filter(({ datasource }) => datasource.type === 'prometheus')
      .map(({ name, target }) => ({ where: `${file}: annotation ${name}`, expr: target.expr ?? '', legend: '' })),
    ...templating.list.flatMap(({ name, query }) => {
      // label_values(series, label) is Grafana's own; as PromQL it is a grouping.
      const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec(typeof query === 'object' ? query.query : '') ?? []
      return series === undefined
        ? []
        : [{ where: `${file}: variable ${name}`, expr: `group by (${label}) (${series})`, legend: '' }]
    }),
  ])
}

/** Lists every expression of the alerts. */
export function alertQueries(): Pick<PanelQuery, 'where' | 'expr'>[] {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as {
    groups: readonly { rules: readonly { alert: string; expr: string }[] }[]
  }
  return groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ where: alert, expr })))
}

/** Puts values in the place of Grafana's variables: all of everything. */
export function substituted(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$__range', '1m')
    .replaceAll(/\$(?:namespace|queue|task|instance)\b/g, '.*')
}

export interface Names {
  readonly metrics: ReadonlySet<string>
  readonly labels: ReadonlySet<string>
}

/** Reads the names in a PromQL expression. Throws when it cannot be parsed. */
export function namesIn(expr: string): Names {
  const metrics = new Set<string>()
  const labels = new Set<string>()
  parser.parse(expr).iterate({
    enter(node) {
      const text = expr.slice(node.from, node.to)
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${expr}`)
      if (node.name === 'Identifier') metrics.add(text)
      if (node.name === 'LabelName') labels.add(text)
    },
  })
  return { metrics, labels }
}

export interface Matcher {
  readonly metric: string
  readonly label: string
  /** What the label must be, or for a regular expression each of its alternatives. */
  readonly values: readonly string[]
}

/** Reads which values of which labels an expression selects, or leaves out. */
export function matchersIn(expr: string): Matcher[] {
  const found: Matcher[] = []
  const text = (node: { readonly from: number; readonly to: number } | null): string =>
    node === null ? '' : expr.slice(node.from, node.to)
  parser.parse(expr).iterate({
    enter({ name, node }) {
      if (name !== 'VectorSelector') return
      const metric = text(node.getChild('Identifier'))
      for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
        const value = text(matcher.getChild('StringLiteral')).slice(1, -1)
        const values = text(matcher.getChild('MatchOp')).endsWith('~') ? value.split('|') : [value]
        found.push({ metric, label: text(matcher.getChild('LabelName')), values })
      }
    },
  })
  return found
}
