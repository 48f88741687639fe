// The map in src/README.md is true: every import of every file under src/ is in its table.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))
const LONGEST = 250
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`; not the `from` of SQL. */
const IMPORT = /^(?:import|export)\s[^'"`]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

interface SourceFile {
  /** Below src/, such as `store/accept.ts`. */
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly imports: readonly string[]
}

interface Row {
  readonly folders: readonly string[]
  readonly libraries: readonly string[]
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path): SourceFile => {
    const text = readFileSync(join(SRC, path), 'utf8')
    const imports = [...text.matchAll(IMPORT)].map(([, from, alone, late]) => (from ?? alone ?? late) as string)
    return { path, folder: folderOf(path), text, imports }
  })
const table = readTable(readFileSync(join(SRC, 'README.md'), 'utf8'))

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

/** Lists every file that loading `start` loads too. */
function reachableFrom(start: string): ReadonlySet<string> {
  const seen = new Set<string>()
  const open = [start]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    const file = files.find((each) => each.path === path)
    const near = file?.imports.filter((name) => name.startsWith('.')) ?? []
    open.push(...near.map((name) => relative(SRC, join(SRC, dirname(path as string), name))))
  }
  return seen
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

  test.each(['types/contracts.ts', 'roles/api.ts'])('lets %s know the contracts without loading a handler', (start) => {
    const reached = [...reachableFrom(start)]

    expect(reached).toContain('../packs/conversation/src/contract.ts')
    expect(reached.filter((path) => path.startsWith('../packs/') && path.includes('handler'))).toEqual([])
  })
})
