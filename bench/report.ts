// The results as Markdown: one table of ratios with what they are meant to be, one of the figures of every system.
import type { Machine } from './machine.ts'
import type { MeasureName } from './measures/names.ts'
import { MEASURES } from './measures/names.ts'
import { type Ratio, type Results, ratioOf, valuesOf } from './results.ts'
import { median } from './statistics.ts'
import { SYSTEM_NAMES, type SystemName } from './systems/names.ts'
import { TARGETS, type Target } from './targets.ts'

const WHOLE_WAY = {
  tasks_per_s: 'tasks/s',
  cpu_s_per_1000: 'CPU s per 1 000',
  cpu_front: 'front',
  cpu_worker: 'worker',
  cpu_postgres: 'PostgreSQL',
  cpu_rabbitmq: 'RabbitMQ',
  cpu_redis: 'Redis',
  accept_p50_ms: '202 p50 ms',
  accept_p99_ms: '202 p99 ms',
}

/** Which figures stand in the tables, with their headings. */
const COLUMNS: Readonly<Record<MeasureName, Readonly<Record<string, string>>>> = {
  'end-to-end': WHOLE_WAY,
  drain: {
    tasks_per_s: 'tasks/s',
    cpu_s_per_1000: 'CPU s per 1 000',
    cpu_worker: 'worker',
    cpu_postgres: 'PostgreSQL',
    cpu_rabbitmq: 'RabbitMQ',
    cpu_redis: 'Redis',
  },
  gateway: { requests_per_s: 'requests/s', cpu_s_per_1000: 'CPU s per 1 000', p50_ms: 'p50 ms', p99_ms: 'p99 ms' },
  idle: {
    http_start_p50_ms: 'by HTTP p50 ms',
    http_start_p99_ms: 'by HTTP p99 ms',
    library_start_p50_ms: 'library p50 ms',
    library_start_p99_ms: 'library p99 ms',
  },
  batch: { tasks_per_s: 'tasks/s' },
  'open-loop': {
    accept_p50_ms: '202 p50 ms',
    accept_p99_ms: '202 p99 ms',
    start_p99_ms: 'start p99 ms',
    done_p50_ms: 'done p50 ms',
    done_p99_ms: 'done p99 ms',
  },
  'broker-away': {
    running_p50_ms: 'running, 202 p50 ms',
    running_p99_ms: 'running, 202 p99 ms',
    stopped_p50_ms: 'stopped, 202 p50 ms',
    stopped_p99_ms: 'stopped, 202 p99 ms',
    stopped_refused: 'not 202',
    accepted_while_stopped: 'accepted while stopped',
    all_done_after_s: 'all done after s',
  },
  tracing: WHOLE_WAY,
}

/** Writes the whole table. */
export function tableOf(results: Results): string {
  const measured = (Object.keys(MEASURES) as MeasureName[]).filter((name) =>
    results.runs.some(({ measure }) => measure === name),
  )
  return [
    machineText(results),
    '### Nightshift beside its peers',
    ratioTable(results),
    ...measured.flatMap((measure) => [`### ${measure}: ${MEASURES[measure]}`, figureTable(results, measure)]),
  ]
    .join('\n\n')
    .concat('\n')
}

function machineText({ machine, measuredAt, runs }: Results): string {
  const rounds = Math.max(0, ...runs.map(({ round }) => round))
  const load = median(runs.map((run) => run.load))
  return [
    `Measured ${measuredAt.slice(0, 10)} on ${machineLine(machine)}: medians of ${rounds} interleaved rounds, in brackets`,
    `the least and the most. One-minute load before a run, own load included: ${load.toFixed(1)} (median).`,
    `Measured code: ${[...new Set(runs.map(({ code }) => code ?? 'not noted'))].join(', ')}.`,
    `Versions: ${Object.entries(machine.versions)
      .map((pair) => pair.join(' '))
      .join(', ')}.`,
  ].join('\n')
}

function machineLine({ cores, cpu, memoryGiB }: Machine): string {
  return `${cores} cores (${cpu}), ${memoryGiB} GiB`
}

function ratioTable(results: Results): string {
  const rows = TARGETS.flatMap((target) => {
    const ratio = targetRatio(results, target)
    if (!ratio) return []
    const { measure, figure, peer, peerFigure, atLeast, atMost } = target
    const wanted = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
    const isMet = atLeast === undefined ? ratio.median <= (atMost ?? 0) : ratio.median >= atLeast
    const of = peer === 'nightshift' ? headingOf(measure, peerFigure ?? figure) : peer
    return [[measure, headingOf(measure, figure), of, ratioText(ratio), wanted, isMet ? 'met' : '**not met**']]
  })
  return markdown(['measure', 'figure', 'to', 'ratio', 'target', ''], rows)
}

/** Nightshift's figure divided by the peer's, round by round. */
function targetRatio(results: Results, { measure, figure, peer, peerFigure }: Target): Ratio | undefined {
  const own = valuesOf(results, measure, 'nightshift', figure)
  return ratioOf(own, valuesOf(results, measure, peer, peerFigure ?? figure))
}

function figureTable(results: Results, measure: MeasureName): string {
  const columns = Object.entries(COLUMNS[measure])
  const systems = (Object.keys(SYSTEM_NAMES) as SystemName[]).filter((name) =>
    results.runs.some((run) => run.measure === measure && run.system === name),
  )
  const rows = systems.map((system) => [
    system,
    ...columns.map(([figure]) => valueText([...valuesOf(results, measure, system, figure).values()])),
  ])
  return markdown(['system', ...columns.map(([, heading]) => heading)], rows)
}

function headingOf(measure: MeasureName, figure: string): string {
  return COLUMNS[measure][figure] ?? figure
}

function ratioText({ median: middle, least, most }: Ratio): string {
  return `${middle.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`
}

function valueText(values: readonly number[]): string {
  if (values.length === 0) return ''
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map(numberText)
  return values.length === 1 ? `${middle}` : `${middle} (${least}–${most})`
}

/** Three significant digits, thousands apart: 11 700, 6.41, 0.152. */
function numberText(value: number): string {
  if (value === 0) return '0'
  const rounded = Number(value.toPrecision(3))
  return rounded >= 1_000 ? String(rounded).replaceAll(/\B(?=(\d{3})+$)/g, ' ') : String(rounded)
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
