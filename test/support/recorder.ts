// Writes down what a run took. RECORD=durations: how long each live file took, into test/durations.json, by which the next
// run is shared out. RECORD=results: the results of the long tests, into test/long/RESULTS.md.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'
import { DURATIONS, ROOT } from './longest-first.ts'

export default class Recorder implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (process.env.RECORD === 'durations') recordDurations(modules)
    if (process.env.RECORD === 'results') recordResults(modules)
  }
}

function recordDurations(modules: readonly TestModule[]): void {
  const known = JSON.parse(readFileSync(DURATIONS, 'utf8')) as Record<string, number>
  const passed = modules.filter((module) => module.project.name === 'live' && module.state() === 'passed')
  const now = Object.fromEntries(passed.map((module) => [relative(ROOT, module.moduleId), secondsOf(module)]))
  const all = Object.entries({ ...known, ...now }).sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(DURATIONS, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
}

function recordResults(modules: readonly TestModule[]): void {
  const git = (...words: string[]): string => execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).trim()
  const isClean = git('status', '--porcelain', '--', '.', ':!test/long/RESULTS.md') === ''
  const rows = modules.map((module) => {
    const tests = [...module.children.allTests()]
    const passed = tests.filter((test) => test.result().state === 'passed').length
    return `| ${relative(ROOT, module.moduleId)} | ${passed} of ${tests.length} | ${Math.round(secondsOf(module))} | ${module.state()} |`
  })
  const lines = [
    '# The last run of the long tests',
    '',
    'Written by `make test-long`.',
    '',
    `Commit ${git('rev-parse', '--short', 'HEAD')}${isClean ? '' : ' with uncommitted changes'}, ${new Date().toISOString().slice(0, 16)}Z.`,
    '',
    '| file | tests passed | seconds | result |',
    '|---|---|---|---|',
    ...rows.sort(),
  ]
  writeFileSync(join(ROOT, 'test/long/RESULTS.md'), `${lines.join('\n')}\n`)
}

function secondsOf(module: TestModule): number {
  const { duration, setupDuration, collectDuration } = module.diagnostic()
  return Math.round((duration + setupDuration + collectDuration) / 100) / 10
}
