// Promise: `make check` fails on a ring of imports, on a function that is too long, and on an export that nobody uses.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIOME = [
  'node_modules/@biomejs/biome/bin/biome',
  'check',
  '--vcs-enabled=false',
  '--diagnostic-level=error',
  'src',
]
const KNIP = ['node_modules/knip/bin/knip.js']

let house: string
beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'nightshift-house-'))
  for (const name of ['src', 'sdk', 'packs', 'scripts', 'test', 'bench', 'grafana']) {
    cpSync(join(ROOT, name), join(house, name), { recursive: true })
  }
  for (const name of ['package.json', 'tsconfig.json', 'biome.json', 'knip.json'])
    cpSync(join(ROOT, name), join(house, name))
  symlinkSync(join(ROOT, 'node_modules'), join(house, 'node_modules'))
})
afterAll(() => rmSync(house, { recursive: true, force: true }))

interface Ended {
  readonly code: number
  readonly said: string
}

async function run(words: readonly string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...words], {
      cwd: house,
      maxBuffer: 2 ** 26,
    })
    return { code: 0, said: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, said: stdout + stderr }
  }
}

/** Runs a tool with files planted beside the others, named by their paths, and takes them out again. */
async function planted(files: Readonly<Record<string, string>>, words: readonly string[]): Promise<Ended> {
  const folders = new Set(Object.keys(files).map((path) => join(house, dirname(path))))
  for (const folder of folders) mkdirSync(folder)
  for (const [path, text] of Object.entries(files)) writeFileSync(join(house, path), text)
  try {
    return await run(words)
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  }
}

test('the tree as it is passes', async () => {
  expect(await run(BIOME)).toMatchObject({ code: 0 })
  expect(await run(KNIP)).toMatchObject({ code: 0 })
}, 60_000)

test('a ring of imports fails', async () => {
  const { code, said } = await planted(
    {
      'src/planted/one.ts': "import { two } from './two.ts'\n\nexport const one = (): number => two() + 1\n",
      'src/planted/two.ts': "import { one } from './one.ts'\n\nexport const two = (): number => one() + 1\n",
    },
    BIOME,
  )

  expect(code).toBe(1)
  expect(said).toContain('noImportCycles')
}, 60_000)

test('a function of more than 80 lines fails', async () => {
  const lines = Array.from({ length: 90 }, (_, n) => `  console.log(${n})\n`).join('')
  const { code, said } = await planted({ 'src/planted/long.ts': `export function long(): void {\n${lines}}\n` }, BIOME)

  expect(code).toBe(1)
  expect(said).toContain('noExcessiveLinesPerFunction')
}, 60_000)

test('an export that nobody uses fails', async () => {
  const user = "import { used } from '../../src/planted/dead.ts'\n\nused()\n"
  const dead = 'export const used = (): number => 1\nexport const unused = (): number => 2\n'
  // What uses it must be an entry: else knip speaks of two files that nobody uses, and not of the export.
  const { code, said } = await planted({ 'scripts/planted/main.ts': user, 'src/planted/dead.ts': dead }, KNIP)

  expect(code).toBe(1)
  expect(said).toMatch(/unused +src\/planted\/dead\.ts/)
  expect(said).not.toMatch(/^used /m)
}, 60_000)
