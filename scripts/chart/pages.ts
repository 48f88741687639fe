// The parts of the chart that are written by `make docs`: the table of values in its README, the settings in its schema,
// and its copies of the dashboards and alerts, because helm reads nothing outside of a chart.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settingProperties } from './settings.ts'
import { readValues } from './values-table.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CHART = 'charts/nightshift'

/** What is copied, and which files of it. */
const COPIES = [
  { from: 'grafana/dashboards', to: `${CHART}/files/dashboards`, ending: '.json' },
  { from: 'grafana/alerts', to: `${CHART}/files/alerts`, ending: '.rules.yaml' },
]

export interface ChartFile {
  readonly path: string
  readonly isText: string
  readonly shouldBe: string
}

/** Makes the table of values: one line each. */
export function valuesTable(): string[] {
  const { rows } = readValues(readFileSync(join(ROOT, CHART, 'values.yaml'), 'utf8'))
  const cells = rows.map(({ key, fallback, says }) => [`\`${key}\``, fallback, says])
  return [
    '| value | default | what it is |',
    '|---|---|---|',
    ...cells.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
  ]
}

/** Reads every file of the chart that is written from something else, and writes it anew in memory. */
export function chartFiles(): ChartFile[] {
  return [schemaFile(), ...COPIES.flatMap(copiesOf)]
}

function schemaFile(): ChartFile {
  const path = `${CHART}/values.schema.json`
  const isText = readFileSync(join(ROOT, path), 'utf8')
  const schema = JSON.parse(isText)
  schema.properties.settings.properties = settingProperties()
  return { path, isText, shouldBe: `${JSON.stringify(schema, undefined, 2)}\n` }
}

function copiesOf({ from, to, ending }: (typeof COPIES)[number]): ChartFile[] {
  const names = existsSync(join(ROOT, from)) ? readdirSync(join(ROOT, from)) : []
  return names
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => ({
      path: `${to}/${name}`,
      isText: existsSync(join(ROOT, to, name)) ? readFileSync(join(ROOT, to, name), 'utf8') : '',
      shouldBe: readFileSync(join(ROOT, from, name), 'utf8'),
    }))
}

/** Lists copies whose original is gone. */
export function orphans(): string[] {
  return COPIES.flatMap(({ from, to, ending }) =>
    (existsSync(join(ROOT, to)) ? readdirSync(join(ROOT, to)) : [])
      .filter((name) => name.endsWith(ending) && !existsSync(join(ROOT, from, name)))
      .map((name) => `${to}/${name}`),
  )
}
