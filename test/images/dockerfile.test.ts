// The rules of the Dockerfile that a careless edit would break in silence. `make images` builds and runs it for real.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { baseImage, imagePacks } from '../../scripts/images/dockerfile.ts'
import { showBuild } from '../../src/roles/first-figures.ts'
import { ROLES } from '../../src/roles/run.ts'
import { COMMIT, VERSION } from '../../src/runtime/build-info.ts'
import { exposition } from '../../src/runtime/instruments.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

interface Instruction {
  readonly word: string
  readonly rest: string
}

interface Stage {
  readonly name: string
  readonly from: string
  readonly instructions: readonly Instruction[]
}

const instructions = read('Dockerfile')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line): Instruction => {
    const [word = '', ...rest] = line.split(' ')
    return { word, rest: rest.join(' ').replaceAll(/\s+/g, ' ').trim() }
  })
const stages = readStages(instructions)

function readStages(all: readonly Instruction[]): ReadonlyMap<string, Stage> {
  const starts = all.flatMap(({ word }, index) => (word === 'FROM' ? [index] : []))
  const found = starts.map((start, n): Stage => {
    const [from = '', , name = ''] = (all[start]?.rest ?? '').split(' ')
    return { name, from: from.replace(/^\$\{(\w+)\}$/, '$1'), instructions: all.slice(start + 1, starts[n + 1]) }
  })
  return new Map(found.map((stage) => [stage.name, stage]))
}

const restOf = (stage: string, word: string): string[] =>
  (stages.get(stage)?.instructions ?? []).filter((each) => each.word === word).map(({ rest }) => rest)

test('every stage begins with the one pinned base, with nothing, or with another stage', () => {
  const known = [...stages.keys(), 'scratch', 'NODE_IMAGE']
  expect([...stages.values()].map(({ from }) => from).filter((from) => !known.includes(from))).toEqual([])
  expect(stages.get('runtime')?.from).toBe('scratch')
  expect(baseImage().digest).toMatch(/^sha256:[0-9a-f]{64}$/)
})

test('the base has the Node that everything is tested with', () => {
  const [, tested] = /^NODE_VERSION=(\S+)$/m.exec(read('scripts/bootstrap.sh')) ?? []
  expect(baseImage().nodeVersion).toBe(tested)
})

test('api and consumer are the runtime with another role and other ports, and nothing else', () => {
  for (const target of ['api', 'consumer']) {
    expect(stages.get(target)?.from).toBe('runtime')
    expect(stages.get(target)?.instructions.map(({ word }) => word)).toEqual(['LABEL', 'EXPOSE', 'CMD'])
    expect(restOf(target, 'CMD')).toEqual([`["${target}"]`])
    expect(ROLES).toContain(target)
  }
  expect(restOf('api', 'EXPOSE')).toEqual(['8080 9090'])
  expect(restOf('consumer', 'EXPOSE')).toEqual(['9090'])
})

test('the process is node itself, as a fixed user that is not root and owns no file', () => {
  expect(restOf('runtime', 'USER')).toEqual(['10001:10001'])
  expect(restOf('runtime', 'ENTRYPOINT')).toEqual(['["node", "/nightshift/src/main.ts"]'])
  expect(instructions.filter(({ rest }) => rest.includes('chown'))).toEqual([])
})

test.each(['api', 'consumer'])('the command of %s starts that role, which asks for its settings', (target) => {
  const [node, file, ...words] = [...restOf('runtime', 'ENTRYPOINT'), ...restOf(target, 'CMD')].flatMap(
    (list) => JSON.parse(list) as string[],
  )
  expect(node).toBe('node')
  const main = (file as string).replace('/nightshift/', ROOT)
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], {
    env: { PATH: process.env.PATH },
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('DATABASE_URL') })
})

test('the source needs no package that the images leave out', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.ts$/.test(path),
  )
  const names = files.flatMap((path) =>
    [
      ...read(join('src', path)).matchAll(/^(?:import|export) (?!type )[^'`]*?from '((?:@[\w-]+\/)?[a-z][\w.-]*)/gm),
    ].map(([, name]) => name as string),
  )
  expect(names.filter((name) => name !== 'node').length).toBeGreaterThan(0)
  expect(names.filter((name) => name !== 'node' && !(name in dependencies))).toEqual([])
})

test('packages are those of the lock file that run, and their scripts are not run', () => {
  const installs = instructions.filter(({ rest }) => /\bnpm (ci|install|i)\b/.test(rest))
  expect(installs).toHaveLength(1)
  expect(installs[0]?.rest).toMatch(/\bnpm ci --omit=dev --ignore-scripts /)
})

test('every pack is installed, and the one that the images name is there', () => {
  const packs = readdirSync(join(ROOT, 'packs'))
  const copied = restOf('packages', 'COPY').join(' ')
  for (const pack of packs) expect(copied).toContain(`packs/${pack}/package.json packs/${pack}/`)
  expect(packs).toEqual(expect.arrayContaining(imagePacks().split(',')))
})

test('the label of the version is that of package.json, and the metrics tell version and commit', async () => {
  expect(restOf('runtime', 'ARG')).toContain(`VERSION=${VERSION}`)
  showBuild('api')
  const { body } = await exposition(undefined)
  expect(body).toContain(`nightshift_build_info{version="${VERSION}",commit="${COMMIT}",role="api"} 1`)
})

const patterns = read('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** https://docs.docker.com/build/concepts/context/#dockerignore-files: the last pattern that matches decides. */
function isSent(path: string): boolean {
  const matches = (pattern: string): boolean => {
    const parts: Readonly<Record<string, string>> = { '**/': '(?:.*/)?', '*': '[^/]*' }
    const source = pattern.replaceAll(/\*\*\/|\*|[.+^$()|{}]/g, (found) => parts[found] ?? `\\${found}`)
    return new RegExp(`^${source}(?:/|$)`).test(path)
  }
  const last = patterns.findLast((pattern) => matches(pattern.replace(/^!/, '')))
  return last === undefined || last.startsWith('!')
}

test.each([
  ...['.git/config', '.env', '.npmrc', '.nightshift/toolchain/package.json', 'node_modules/zod/package.json'],
  ...['src/.env', 'src/http/.npmrc', 'src/http/server.key', 'src/http/server.pem', 'src/prod.env', 'src/a.log'],
  ...['test/vitest.config.ts', 'scripts/run.ts', 'docs/images.md', 'anything-new'],
])('%s is not sent to the builder', (path) => {
  expect(isSent(path)).toBe(false)
})

test.each([
  'package.json',
  'package-lock.json',
  'LICENSE',
  'src/main.ts',
  'src/store/migrations/0001_baseline.sql',
  'sdk/node/package.json',
  'packs/conversation/src/pack.ts',
  'packs/conversation/migrations/0001_tables.sql',
])('%s is sent to the builder', (path) => {
  expect(isSent(path)).toBe(true)
})
