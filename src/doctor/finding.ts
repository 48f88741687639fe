/** What a check found. */
import { CHECKS, type CheckName } from './checks.ts'

/** `problem`: work is or will be lost or stuck. `warning`: it costs something. `not_checked`: what is missing to know. */
export const LEVELS = ['problem', 'warning', 'not_checked', 'ok'] as const
export type Level = (typeof LEVELS)[number]

export interface Finding {
  readonly check: CheckName
  readonly level: Level
  /** One sentence: what is so. */
  readonly what: string
  /** Why it matters; only of a problem or a warning. */
  readonly why?: string
  /** How to mend it, or how to have it checked; absent when it is ok. */
  readonly fix?: string
}

export function ok(check: CheckName, what: string): Finding {
  return { check, level: 'ok', what }
}

export function problem(check: CheckName, what: string): Finding {
  return { check, level: 'problem', what, why: CHECKS[check].why, fix: CHECKS[check].fix }
}

export function warning(check: CheckName, what: string): Finding {
  return { check, level: 'warning', what, why: CHECKS[check].why, fix: CHECKS[check].fix }
}

/** @param fix how to have it checked */
export function notChecked(check: CheckName, what: string, fix: string): Finding {
  return { check, level: 'not_checked', what, fix }
}

/** Counts findings by level. */
export function countLevels(findings: readonly Finding[]): Readonly<Record<Level, number>> {
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length
  return { problem: count('problem'), warning: count('warning'), not_checked: count('not_checked'), ok: count('ok') }
}
