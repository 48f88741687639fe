/**
 * Reads the settings once from the environment and freezes them. Every problem is reported together, each naming the
 * setting and the fix.
 */
import { readFileSync } from 'node:fs'
import { editsBetween } from '../core/nearest.ts'
import type { Setting } from './setting-kinds.ts'
import { type Config, SETTINGS } from './settings.ts'

export type { Config } from './settings.ts'

/** Thrown when settings are missing, wrong or unknown; the message lists every problem on its own line. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** Variables that Kubernetes adds for a Service named nightshift-…; they are nobody's settings. */
const SERVICE_LINK =
  /^NIGHTSHIFT_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

/**
 * Reads the settings.
 *
 * @param needed the settings that must be set for what is to be done; default all. Those that are set are checked anyway
 * @throws ConfigError naming everything that is wrong
 */
export function readConfig<Key extends keyof Config = keyof Config>(
  environment: NodeJS.ProcessEnv,
  needed?: readonly Key[],
): Pick<Config, Key> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  const known = new Set<string>()
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    known.add(setting.name).add(`${setting.name}_FILE`)
    try {
      const text = textOf(setting, environment)
      if (text !== undefined) values[key] = setting.parse(text)
      else if (!needed || needed.includes(key as Key)) problems.push(`${setting.name} is not set: ${setting.says}`)
    } catch (error) {
      problems.push(`${setting.name} ${(error as Error).message}`)
    }
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('NIGHTSHIFT_') && !known.has(name) && !SERVICE_LINK.test(name)) {
      problems.push(`${name} is not a setting${nearest(name, known)}`)
    }
  }
  const { depthLow, depthHigh } = values
  if (typeof depthLow === 'number' && typeof depthHigh === 'number' && depthLow >= depthHigh) {
    problems.push('NIGHTSHIFT_DEPTH_LOW must be below NIGHTSHIFT_DEPTH_HIGH')
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return Object.freeze(values) as Pick<Config, Key>
}

function textOf(setting: Setting<unknown>, environment: NodeJS.ProcessEnv): string | undefined {
  const direct = environment[setting.name]
  const path = environment[`${setting.name}_FILE`]
  if (direct !== undefined && direct !== '') {
    if (path !== undefined && path !== '') throw new Error(`and ${setting.name}_FILE are both set: set one`)
    return direct
  }
  if (path === undefined || path === '') return setting.fallback
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new Error(`cannot be read from the file that ${setting.name}_FILE names: ${(error as Error).message}`)
  }
}

function nearest(name: string, known: ReadonlySet<string>): string {
  const close = [...known].find((candidate) => editsBetween(candidate, name) <= 2)
  return close === undefined ? '' : `: did you mean ${close}?`
}
