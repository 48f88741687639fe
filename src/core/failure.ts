/** Turns whatever a handler threw into a record that can always be stored, read and grouped. Pure, never throws. */
import { createHash } from 'node:crypto'
import { storableText } from './storable.ts'

export interface Failure {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly cause?: string
}

/** Describes a thrown value: an Error, a string, null, an object whose getters throw, anything. */
export function failureOf(thrown: unknown): Failure {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: 'NonError', message: storableText(`a handler threw ${typeof thrown}: ${String(thrown)}`, 2_000) }
  }
  const name = readText(thrown, 'name') ?? 'Error'
  const message = readText(thrown, 'message') || errorsText(thrown) || '(no message)'
  const stack = readText(thrown, 'stack')
  const cause = causeText(thrown)
  return {
    name: storableText(name, 200),
    message: storableText(message, 2_000),
    ...(stack === undefined ? {} : { stack: storableText(stack, 8_000) }),
    ...(cause === undefined ? {} : { cause: storableText(cause, 2_000) }),
  }
}

/**
 * Names the group a failure belongs to: the same error at the same place, whatever ids and numbers its text carries.
 * @returns 16 hexadecimal characters of the SHA-256 of name, message with variable parts removed, and top frame
 */
export function fingerprintOf(failure: Failure): string {
  const shape = failure.message
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<id>')
    .replaceAll(/0x[0-9a-f]+|[0-9a-f]{16,}/gi, '<hex>')
    .replaceAll(/"[^"]{0,200}"|'[^']{0,200}'/g, '<text>')
    .replaceAll(/\d+/g, '<n>')
  const frame =
    /^\s+at .*/m
      .exec(failure.stack ?? '')?.[0]
      .replaceAll(/:\d+/g, '')
      .trim() ?? ''
  return createHash('sha256').update(`${failure.name}\n${shape}\n${frame}`).digest('hex').slice(0, 16)
}

function readText(object: object, key: string): string | undefined {
  try {
    const value: unknown = Reflect.get(object, key)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function causeText(object: object): string | undefined {
  try {
    const cause: unknown = Reflect.get(object, 'cause')
    if (cause === undefined || cause === null) return undefined
    if (typeof cause !== 'object') return String(cause)
    const message = readText(cause, 'message') || errorsText(cause) || '(no message)'
    return `${readText(cause, 'name') ?? 'Error'}: ${message}`
  } catch {
    return undefined
  }
}

/** A host name with several addresses fails as an AggregateError, which has no message of its own, only those of each. */
function errorsText(object: object): string {
  try {
    const errors: unknown = Reflect.get(object, 'errors')
    if (!Array.isArray(errors)) return ''
    const told = errors.slice(0, 10).filter((each): each is object => typeof each === 'object' && each !== null)
    return told.map((each) => readText(each, 'message') ?? '').join('; ')
  } catch {
    return ''
  }
}
