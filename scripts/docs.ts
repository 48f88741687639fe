// `make docs`: writes the generated part of docs/settings.md, between its two markers.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SETTINGS } from '../src/runtime/settings.ts'

export const SETTINGS_PAGE = fileURLToPath(new URL('../docs/settings.md', import.meta.url))

const BEGIN = '<!-- settings: written by `make docs`, do not edit -->'
const END = '<!-- /settings -->'
const HEAD = ['| setting | default | allowed | what it does |', '|---|---|---|---|']

interface Setting {
  readonly name: string
  readonly fallback?: string
  readonly bounds: string
  readonly says: string
  readonly secret?: true
}

/** Writes a page anew: what is between the markers becomes the table of all settings. */
export function withSettings(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`docs/settings.md must contain "${BEGIN}" and then "${END}"`)
  const rows = Object.entries<Setting>(SETTINGS).map(([key, setting]) => rowOf(key, setting))
  return `${page.slice(0, begin)}${[BEGIN, ...HEAD, ...rows, END].join('\n')}${page.slice(end + END.length)}`
}

function rowOf(key: string, { name, fallback, bounds, says, secret }: Setting): string {
  const usual = key === 'consumerName' ? 'the host name' : fallback === undefined ? 'must be set' : `\`${fallback}\``
  const sentence = secret ? `${says} Secret: never printed.` : says
  return `| ${[`\`${name}\``, usual, bounds, sentence].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

if (import.meta.main) {
  const page = readFileSync(SETTINGS_PAGE, 'utf8')
  writeFileSync(SETTINGS_PAGE, withSettings(page))
  console.log(withSettings(page) === page ? 'docs/settings.md was up to date' : 'docs/settings.md is written')
}
