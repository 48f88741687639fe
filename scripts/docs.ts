// `make docs`: writes the generated parts of the documentation, each between its two markers: the settings from the
// code, the promises from the first lines of the tests that hold them, those of the chart, and the table of the last
// benchmark.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHECKS } from '../src/doctor/checks.ts'
import { SETTINGS } from '../src/runtime/settings.ts'
import { chartFiles, orphans, valuesTable } from './chart/pages.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface Page {
  readonly path: string
  readonly isText: string
  /** What it would be if it were written now. */
  readonly shouldBe: string
}

/** Reads every page that has a generated part, and writes it anew in memory. */
export function generatedPages(): Page[] {
  return [
    pageOf('docs/settings.md', 'settings', settingsTable()),
    pageOf('docs/doctor.md', 'checks', checkList()),
    pageOf('docs/promises.md', 'promises', promiseList(readPromises())),
    pageOf('charts/nightshift/README.md', 'values', valuesTable()),
    pageOf('README.md', 'speed', ratioTable()),
    ...chartFiles(),
  ]
}

function pageOf(path: string, part: string, lines: readonly string[]): Page {
  const isText = readFileSync(join(ROOT, path), 'utf8')
  const [begin, end] = [`<!-- ${part}: written by \`make docs\`, do not edit -->`, `<!-- /${part} -->`]
  const [from, to] = [isText.indexOf(begin), isText.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${path} must contain "${begin}" and then "${end}"`)
  return { path, isText, shouldBe: `${isText.slice(0, from)}${[begin, ...lines].join('\n')}\n${isText.slice(to)}` }
}

interface Setting {
  readonly name: string
  readonly fallback?: string
  readonly bounds: string
  readonly says: string
  readonly secret?: true
}

function settingsTable(): string[] {
  const rows = Object.entries<Setting>(SETTINGS).map(([key, setting]) => rowOf(key, setting))
  return ['| setting | default | allowed | what it does |', '|---|---|---|---|', ...rows]
}

function rowOf(key: string, { name, fallback, bounds, says, secret }: Setting): string {
  const usual = key === 'consumerName' ? 'the host name' : usualOf(fallback)
  const sentence = secret ? `${says} Secret: never printed.` : says
  return `| ${[`\`${name}\``, usual, bounds, sentence].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function usualOf(fallback: string | undefined): string {
  if (fallback === undefined) return 'must be set'
  return fallback === '' ? 'not set' : `\`${fallback}\``
}

/** Of the results of `make bench`: when and on what they were measured, and the ratios to the peers. */
function ratioTable(): string[] {
  const parts = readFileSync(join(ROOT, 'bench/results/table.md'), 'utf8').split('\n\n')
  const ratios = parts[parts.findIndex((part) => part.startsWith('### ')) + 1]
  if (parts[0] === undefined || ratios === undefined) throw new Error('bench/results/table.md has no table of ratios')
  return ['', parts[0], '', ratios, '']
}

function checkList(): string[] {
  return Object.entries(CHECKS).flatMap(([name, { looksAt, why, fix }]) => [
    `### ${name}`,
    '',
    `Whether ${looksAt}.`,
    '',
    `- **Why it matters.** ${why}`,
    `- **How to mend it.** ${fix}`,
    '',
  ])
}

export interface PromiseTest {
  /** Below test/, such as `path/cancel.live.test.ts`. */
  readonly file: string
  /** What it promises, or undefined when its first line does not begin with `// Promise: `. */
  readonly text: string | undefined
}

/** Reads what each test of test/path/ and test/long/ promises, by name of the file. */
export function readPromises(): PromiseTest[] {
  const files = ['path', 'long'].flatMap((folder) =>
    readdirSync(join(ROOT, 'test', folder))
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => `${folder}/${file}`),
  )
  return files.sort(byName).map((file) => {
    const comment = /^(?:\/\/.*\n)+/.exec(readFileSync(join(ROOT, 'test', file), 'utf8'))?.[0] ?? ''
    return {
      file,
      text: /^Promise: (.+)$/.exec(
        comment
          .replaceAll(/^\/\/ ?/gm, '')
          .trim()
          .replaceAll('\n', ' '),
      )?.[1],
    }
  })
}

const byName = (a: string, b: string): number => basename(a).localeCompare(basename(b))

function promiseList(promises: readonly PromiseTest[]): string[] {
  return promises.map(({ file, text = '' }) => {
    const title = basename(file)
      .replace(/(?:\.live)?\.test\.ts$/, '')
      .replaceAll('-', ' ')
    return `- [**${title}**](../test/${file}): ${text}`
  })
}

if (import.meta.main) {
  for (const { path, isText, shouldBe } of generatedPages()) {
    if (isText !== shouldBe) {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true })
      writeFileSync(join(ROOT, path), shouldBe)
    }
    console.log(`${path} ${isText === shouldBe ? 'was up to date' : 'is written'}`)
  }
  for (const path of orphans()) {
    rmSync(join(ROOT, path))
    console.log(`${path} is removed: its original is gone`)
  }
}
