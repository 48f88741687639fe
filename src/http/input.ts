/**
 * Turns what a client sent into values that are known to fit: strict JSON, storable text, the schema, known parameters.
 * Whatever does not fit is a Problem that names the place.
 */
import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import { flawsOf, sizeFlaw } from '../core/flaws.ts'
import { closeWords } from '../core/nearest.ts'
import { escapePointer, textFlaw } from '../core/storable.ts'
import { readBody } from './body.ts'
import type { Call } from './call.ts'
import { type PointedError, Problem } from './problem.ts'

export const BODY_LIMIT_BYTES = 256 * 1024

/**
 * Reads the media type of the body.
 * @param elsewhere what is told of types that another route reads
 * @returns the one of `allowed` that it is
 * @throws Problem unsupported-media-type for any other, or another charset than UTF-8
 */
export function mediaTypeOf(
  call: Call,
  allowed: readonly string[],
  elsewhere: Readonly<Record<string, string>> = {},
): string {
  const [type = '', ...parameters] = (call.header('content-type') ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase())
  // `utf8` is what clients write that do not know its name, and a semicolon too many says nothing.
  const isUtf8Only = parameters.every((parameter) => /^(?:charset="?utf-?8"?)?$/.test(parameter))
  if (allowed.includes(type) && isUtf8Only) return type
  const hint = Object.hasOwn(elsewhere, type) ? `; ${elsewhere[type]}` : ''
  throw new Problem('unsupported-media-type', `send Content-Type: ${allowed.join(' or ')}, in UTF-8${hint}`, {
    headers: { accept: allowed.join(', ') },
  })
}

/**
 * Reads a JSON body of at most 256 KiB that can be stored as it was sent.
 * @throws Problem unsupported-media-type, request-too-large, malformed-json or invalid-input
 */
async function readJson(call: Call): Promise<unknown> {
  mediaTypeOf(call, ['application/json'])
  return parseStorableJson(await readBody(call, BODY_LIMIT_BYTES))
}

/** Reads a JSON body if there is one, else gives an empty object. */
export async function readOptionalJson(call: Call): Promise<unknown> {
  const isEmpty = call.header('transfer-encoding') === undefined && Number(call.header('content-length') ?? 0) === 0
  return isEmpty ? {} : readJson(call)
}

/** Reads bytes as text. @throws Problem malformed-json when they are not UTF-8, or begin with a byte order mark */
export function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Problem('malformed-json', 'the body is not valid UTF-8')
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new Problem('malformed-json', 'the body begins with a byte order mark (EF BB BF): send it without')
  }
  return bytes.toString('utf8')
}

/**
 * Reads bytes, or their text, as one JSON text that can be stored as it was sent.
 * @throws Problem malformed-json, or invalid-input with a pointer to every place that cannot be stored
 */
export function parseStorableJson(sent: Buffer | string): unknown {
  const text = typeof sent === 'string' ? sent : textOf(sent)
  if (text === '') throw new Problem('malformed-json', 'the body is empty')
  const size = sizeFlaw(text)
  if (size) throw invalid([size])
  const value = parsed(text)
  const flaws = flawsOf(text, value)
  if (flaws.length > 0) throw invalid(flaws)
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new Problem('malformed-json', (error as Error).message)
  }
}

/**
 * Checks a value against a schema.
 * @param at JSON Pointer of the value in the body
 * @throws Problem invalid-input with a pointer to every place that does not fit, at most 20
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ''): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalid(result.error.issues.flatMap((issue) => pointedErrors(issue, at, schema)))
}

/** Makes the problem that points at places of the body. */
export function invalid(errors: readonly PointedError[]): Problem {
  const [first] = errors
  const more = errors.length > 1 ? `, and ${errors.length - 1} more` : ''
  return new Problem(
    'invalid-input',
    first ? `${first.pointer || 'the body'}: ${first.detail}${more}` : 'the input does not fit',
    { errors },
  )
}

function pointedErrors(issue: z.core.$ZodIssue, at: string, schema: z.ZodType): PointedError[] {
  const pointer = `${at}${issue.path.map((key) => `/${escapePointer(String(key))}`).join('')}`
  if (issue.code !== 'unrecognized_keys') return [{ pointer, detail: issue.message }]
  const known = issue.path.length === 0 && 'shape' in schema ? Object.keys(schema.shape as object) : []
  return issue.keys.slice(0, 20).map((key) => ({
    pointer: `${pointer}/${escapePointer(key)}`,
    detail: `is not a known field${suggestion(key, known)}`,
  }))
}

const suggestion = (word: string, known: readonly string[]): string => {
  const close = closeWords(word.slice(0, 100), known)
  return close.length > 0 ? `: did you mean ${close.join(' or ')}?` : ''
}

/**
 * Checks the query of a call: each parameter known, given once, storable, and as the schema says.
 * @throws Problem invalid-parameter naming the parameter, and for an unknown one the closest known
 */
export function parseQuery<Query extends z.ZodObject>(schema: Query, call: Call): z.output<Query> {
  const known = Object.keys(schema.shape)
  const refuse = (name: string, what: string): never => {
    throw new Problem('invalid-parameter', `query parameter "${name.slice(0, 100)}" ${what}`)
  }
  const values = new Map<string, string>()
  const given = call.request.url?.includes('?') ? call.url.searchParams : []
  for (const [name, value] of given) {
    const hint =
      suggestion(name, known) || (known.length > 0 ? `; known are ${known.join(', ')}` : '; none are known here')
    if (!known.includes(name)) refuse(name, `is not known${hint}`)
    if (values.has(name)) refuse(name, 'is given more than once')
    const flaw = textFlaw(value)
    if (flaw !== undefined) refuse(name, flaw)
    values.set(name, value)
  }
  const result = schema.safeParse(Object.fromEntries(values))
  if (result.success) return result.data
  const [issue] = result.error.issues
  return refuse(String(issue?.path[0] ?? ''), `does not fit: ${issue?.message ?? ''}`)
}
