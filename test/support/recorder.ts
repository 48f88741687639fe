// With RECORD=durations writes how long each live file took into test/durations.json. `make durations` does.
import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'
import { DURATIONS, ROOT } from './longest-first.ts'

export default class Recorder implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (process.env.RECORD !== 'durations') return
    const known = JSON.parse(readFileSync(DURATIONS, 'utf8')) as Record<string, number>
    const now = modules
      .filter((module) => module.project.name === 'live' && module.state() === 'passed')
      .map((module) => {
        const { duration, setupDuration, collectDuration } = module.diagnostic()
        return [
          relative(ROOT, module.moduleId),
          Math.round((duration + setupDuration + collectDuration) / 100) / 10,
        ] as const
      })
    const all = Object.entries({ ...known, ...Object.fromEntries(now) }).sort(([a], [b]) => (a < b ? -1 : 1))
    writeFileSync(DURATIONS, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
  }
}
