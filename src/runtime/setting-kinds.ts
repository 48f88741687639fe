/** What a setting is, and the kinds of values that settings have: how each is read, and what is said when it is wrong. */
import { parseDuration, parseLadder, QUEUE_PATTERN } from 'nightshift-tasks'

export interface Setting<Value> {
  /** The environment variable. `<NAME>_FILE` may name a file that holds the value instead. */
  readonly name: string
  /** What is used when it is not set; absent when it must be set. */
  readonly fallback?: string
  readonly bounds: string
  readonly says: string
  readonly secret?: true
  /** @throws Error whose message follows the name: "must be …" */
  readonly parse: (text: string) => Value
}

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new Error(`must be a whole number from ${least} to ${most}, not "${text}"`)
    }
    return value
  }

export const oneOf =
  <const Word extends string>(...words: Word[]) =>
  (text: string): Word => {
    if (!words.includes(text as Word)) throw new Error(`must be one of ${words.join(', ')}, not "${text}"`)
    return text as Word
  }

export const urlOf =
  (...protocols: string[]) =>
  (text: string): string => {
    const url = URL.parse(text)
    if (!url || !protocols.includes(url.protocol)) {
      throw new Error(`must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`)
    }
    return text
  }

export const durationBetween =
  (least: string, most: string) =>
  (text: string): number => {
    const refuse = (): never => {
      throw new Error(`must be a duration from ${least} to ${most} such as 90s, 5m or 24h, not "${text}"`)
    }
    try {
      const ms = parseDuration(text)
      return ms < parseDuration(least) || ms > parseDuration(most) ? refuse() : ms
    } catch {
      return refuse()
    }
  }

export function ladder(text: string): readonly number[] {
  try {
    return parseLadder(text.split(',').map((rung) => rung.trim()))
  } catch (error) {
    throw new Error(`must be durations joined by commas, such as 1m,5m,30m: ${(error as Error).message}`)
  }
}

export function queueSlots(text: string): ReadonlyMap<string, number> {
  const slots = new Map<string, number>()
  for (const part of text.split(',')) {
    const [queue = '', count = '', ...more] = part.trim().split(':')
    if (
      more.length > 0 ||
      !QUEUE_PATTERN.test(queue) ||
      !/^\d+$/.test(count) ||
      Number(count) < 1 ||
      Number(count) > 2_000
    ) {
      throw new Error(
        `must be queue:slots pairs joined by commas, such as default:20,mail:5 (slots 1-2000), not "${part}"`,
      )
    }
    if (slots.has(queue)) throw new Error(`names the queue ${queue} twice: "${text}"`)
    slots.set(queue, Number(count))
  }
  return slots
}

const PACK_PATTERN = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/

export function packNames(text: string): readonly string[] {
  const names = text.split(',').flatMap((name) => name.trim() || [])
  for (const name of names) {
    if (!PACK_PATTERN.test(name))
      throw new Error(`must be names of packs joined by commas, such as mail, not "${name}"`)
  }
  if (new Set(names).size < names.length) throw new Error(`names a pack twice: "${text}"`)
  return names
}

/** For a setting whose fallback is the empty text: what it is about is then not done. */
export const optional =
  <Value>(parse: (text: string) => Value) =>
  (text: string): Value | undefined =>
    text === '' ? undefined : parse(text)

/** A name that stands in logs, metrics, histories and the names of connections. */
export function name(text: string): string {
  if (/^[\x21-\x7e]{1,253}$/.test(text)) return text
  throw new Error(`must be 1-253 visible ASCII characters without spaces, not ${JSON.stringify(text)}`)
}
