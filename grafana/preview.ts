// `node grafana/preview.ts http://prometheus:9090 [minutes] > page.html`: draws every panel that Prometheus answers,
// plainly, to look at figures and queries where there is no Grafana.
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboards } from './main.ts'

interface Target {
  readonly expr?: string
  readonly legendFormat?: string
}

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

interface Line {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
}

const [WIDTH, HEIGHT, MARGIN] = [460, 150, 8] as const
const COLORS = [
  '#73bf69',
  '#f2cc0c',
  '#5794f2',
  '#ff780a',
  '#f2495c',
  '#b877d9',
  '#8ab8ff',
  '#96d98d',
  '#ffee52',
  '#ffa6b0',
]

async function linesOf({ expr = '', legendFormat = '' }: Target, url: string, minutes: number): Promise<Line[]> {
  const end = Date.now() / 1_000
  const step = Math.max(1, (minutes * 60) / 300)
  const window = `${Math.ceil(Math.max(10, step * 4))}s`
  const query = expr
    .replaceAll('$__rate_interval', window)
    .replaceAll('$__range', `${minutes}m`)
    .replaceAll(/\$\w+/g, '.*')
  const parameters = { query, start: String(end - minutes * 60), end: String(end), step: String(step) }
  const response = await fetch(`${url}/api/v1/query_range?${new URLSearchParams(parameters)}`)
  const answer = (await response.json()) as { data?: { result: Series[] }; error?: string }
  if (!answer.data) throw new Error(`${answer.error}: ${query}`)
  return answer.data.result.map(({ metric, values }) => ({
    name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
    points: values.map(([at, value]) => [at, Number(value)] as const).filter(([, value]) => Number.isFinite(value)),
  }))
}

function drawn(lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points)
  if (all.length === 0) return '<p class="empty">no data</p>'
  const times = all.map(([at]) => at)
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const top = Math.max(...all.map(([, value]) => value), 1e-9)
  const x = (at: number): number => MARGIN + ((at - from) / Math.max(1, to - from)) * (WIDTH - 2 * MARGIN)
  const y = (value: number): number => HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN)
  const paths = lines.map(({ points }, index) => {
    const way = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
    return `<polyline points="${way}" stroke="${COLORS[index % COLORS.length]}" fill="none" stroke-width="1.5"/>`
  })
  const names = lines.map(
    ({ name, points }, index) =>
      `<span style="color:${COLORS[index % COLORS.length]}">${escaped(name)} ${short(points.at(-1)?.[1] ?? Number.NaN)}</span>`,
  )
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}">${paths.join('')}<text x="4" y="12">${short(top)}</text></svg><p>${names.join(' ')}</p>`
}

const short = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '–')
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

async function panelOf(panel: Panel, url: string, minutes: number): Promise<string> {
  const targets = (panel.targets ?? []) as Target[]
  if (panel.datasource?.type !== 'prometheus') return ''
  const lines = (await Promise.all(targets.map((target) => linesOf(target, url, minutes)))).flat()
  return `<figure><figcaption>${escaped(panel.title ?? '')} (${panel.fieldConfig?.defaults.unit})</figcaption>${drawn(lines)}</figure>`
}

async function pageOf(all: Iterable<Dashboard>, url: string, minutes: number): Promise<string> {
  const parts: string[] = []
  for (const { title, panels } of all) {
    const drawnPanels = await Promise.all(((panels ?? []) as Panel[]).map((panel) => panelOf(panel, url, minutes)))
    parts.push(`<h1>${escaped(title ?? '')}</h1><main>${drawnPanels.join('')}</main>`)
  }
  const style = `body{background:#111217;color:#ccc;font:12px sans-serif;margin:16px}main{display:grid;grid-template-columns:repeat(3,1fr);gap:8px}
figure{background:#181b1f;margin:0;padding:8px}svg{width:100%}text{fill:#888;font-size:11px}p{margin:4px 0;line-height:1.5}.empty{color:#f2495c}`
  return `<!doctype html><meta charset="utf-8"><title>Nightshift</title><style>${style}</style>${parts.join('')}`
}

const [url, minutes = '15'] = process.argv.slice(2)
if (url === undefined) {
  console.error('usage: node grafana/preview.ts <address of Prometheus> [minutes] > page.html')
  process.exitCode = 2
} else {
  console.log(await pageOf(dashboards().values(), url, Number(minutes)))
}
