/** Looks again every minute at what is cheap to see, for the detail of readiness, the log and a metric. */
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import { metrics } from '../runtime/metrics.ts'
import type { Service } from '../runtime/service.ts'
import { examineDatabase } from './doctor.ts'
import { countLevels, type Finding, LEVELS } from './finding.ts'
import type { PostgresPatient } from './postgres.ts'

export interface Checkup extends Service {
  /** The problems and warnings of the last look; empty before the first. */
  readonly findings: readonly Finding[]
}

const EVERY_MS = 60_000

export function createCheckup(patient: PostgresPatient, log: Log): Checkup {
  let findings: readonly Finding[] = []

  const loop = createLoop({
    name: 'checkup',
    everyMs: EVERY_MS,
    log,
    step: async () => {
      const before = new Set(findings.map(({ what }) => what))
      const all = await examineDatabase(patient)
      findings = all.filter(({ level }) => level === 'problem' || level === 'warning')
      for (const { check, what, fix, level } of findings) {
        if (level === 'problem' && !before.has(what)) log.warn({ check, what, fix }, 'the doctor found a problem')
      }
      const counts = countLevels(all)
      for (const level of LEVELS) metrics.doctorFindings.set({ level }, counts[level])
      return false
    },
  })
  return {
    name: 'checkup',
    start: loop.start,
    stop: loop.stop,
    get findings() {
      return findings
    },
  }
}
