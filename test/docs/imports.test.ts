// Promise: the map in src/README.md is true: every import of every file under src/ is in its table. The SDK and the packs
// stand on nothing of the platform, and the platform names no pack.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Pack } from 'nightshift-tasks'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SRC = join(ROOT, 'src')
const LONGEST = 250
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`; not the `from` of SQL. */
const IMPORT = /^(?:import|export)\s[^'"`]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

interface SourceFile {
  /** Below the folder that was read, such as `store/accept.ts`. */
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly imports: readonly string[]
}

interface Row {
  readonly folders: readonly string[]
  readonly libraries: readonly string[]
}

const files = readSources(SRC)
const TEMPLATES = join(ROOT, 'charts/nightshift/templates')
/** Every pack of this repository with the words by which it could be named. */
const packs = await Promise.all(
  readdirSync(join(ROOT, 'packs')).map(async (folder) => {
    const { default: pack } = (await import(join(ROOT, 'packs', folder, 'src/pack.ts'))) as { default: Pack }
    const { name, contracts } = pack
    return { folder, name, tasks: contracts.map((one) => one.name), queues: contracts.map(({ queue }) => queue) }
  }),
)
const table = readTable(readFileSync(join(SRC, 'README.md'), 'utf8'))

function readSources(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
    .map((path): SourceFile => {
      const text = readFileSync(join(folder, path), 'utf8')
      const imports = [...text.matchAll(IMPORT)].map(([, from, alone, late]) => (from ?? alone ?? late) as string)
      return { path, folder: folderOf(path), text, imports }
    })
}

function folderOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] as string) : path.replace(/\.ts$/, '')
}

/** Reads the rows below the heading `| folder | may import | owns library |`. */
function readTable(markdown: string): ReadonlyMap<string, Row> {
  const lines = markdown.split('\n')
  const first = lines.findIndex((line) => line.startsWith('| folder | may import | owns library |')) + 2
  const words = (cell: string): string[] => cell.split(',').flatMap((word) => word.trim() || [])
  const rows = lines.slice(first, lines.findIndex((line, index) => index > first && !line.startsWith('|')) >>> 0)
  return new Map(
    rows
      .filter((line) => line.startsWith('|'))
      .map((line) => {
        const [, folder = '', folders = '', libraries = ''] = line.split('|')
        return [folder.replaceAll(/[`\s]/g, ''), { folders: words(folders), libraries: words(libraries) }]
      }),
  )
}

/** Lists the imports of a file that its folder's row does not allow. */
function trespasses({ path, folder, imports }: SourceFile): string[] {
  const row = table.get(folder)
  if (!row) return [`${path}: the folder is not in the table`]
  return imports.flatMap((name) => {
    if (name.startsWith('node:')) return []
    if (!name.startsWith('.')) {
      const library = name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/')
      return row.libraries.includes(library) ? [] : [`${path} imports the package ${library}`]
    }
    const target = folderOf(relative(SRC, join(SRC, dirname(path), name)).replace(/^\.\.\//, ''))
    return target === folder || row.folders.includes(target) ? [] : [`${path} imports ${target}`]
  })
}

describe('src', () => {
  test('has a row in the table for each folder, and a folder for each row', () => {
    const folders = readdirSync(SRC).filter((name) => statSync(join(SRC, name)).isDirectory() || name.endsWith('.ts'))

    expect([...table.keys()].sort()).toEqual(folders.map(folderOf).sort())
  })

  test('imports what the table allows and nothing else', () => {
    expect(files.length).toBeGreaterThan(30)
    expect(files.flatMap(trespasses)).toEqual([])
  })

  test('has no file over 250 lines', () => {
    const long = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))

    expect(long.filter(({ lines }) => lines > LONGEST)).toEqual([])
  })

  test('has no file that does not begin by saying what it is for', () => {
    expect(files.filter(({ text }) => !/^(?:#!.*\n)?(?:\/\*\*|\/\/)/.test(text)).map(({ path }) => path)).toEqual([])
  })

  test('names no pack, and neither do the templates of the chart', () => {
    const words = packs.flatMap(({ name, tasks, queues }) => [name, ...tasks, ...queues])
    const named = new RegExp(`\\b(?:${words.map((word) => word.replaceAll('.', '\\.')).join('|')})\\b`, 'i')
    const templates = readdirSync(TEMPLATES, { recursive: true, encoding: 'utf8' })
      .filter((path) => statSync(join(TEMPLATES, path)).isFile())
      .map((path) => ({ path, text: readFileSync(join(TEMPLATES, path), 'utf8') }))

    expect(words).toEqual(expect.arrayContaining(['conversation', 'conversations', 'trial', 'trial.echo']))
    expect(templates.length).toBeGreaterThan(10)
    expect([...files, ...templates].filter(({ text }) => named.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe('sdk and packs', () => {
  test.each([
    { root: 'sdk/node', may: ['zod'] },
    ...packs.map(({ folder }) => ({ root: `packs/${folder}`, may: ['nightshift-tasks', 'zod'] })),
  ])('$root imports its own files, Node and $may', ({ root, may }) => {
    const outside = readSources(join(ROOT, root)).flatMap(({ path, imports }) =>
      imports
        .filter((name) => !name.startsWith('node:') && !may.includes(name))
        .filter((name) => !name.startsWith('.') || join(dirname(path), name).startsWith('..'))
        .map((name) => `${path} imports ${name}`),
    )

    expect(outside).toEqual([])
  })
})
