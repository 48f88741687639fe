/**
 * Finds in what a client sent the values that could not be stored and given back as they were sent. Most texts are known
 * to be fine by their shape; only the others are walked, and only a flaw costs the making of its pointer.
 */
import { inexactnessOf } from './exact-numbers.ts'
import { shapeOf } from './json-text.ts'
import { escapePointer, textFlaw } from './storable.ts'

export interface Flaw {
  /** JSON Pointer (RFC 6901) of the value, or of the object whose key it is. */
  readonly pointer: string
  readonly detail: string
}

export const MAX_DEPTH = 64
/** Values and keys of one payload: more make objects of many times its bytes. */
export const MAX_VALUES = 50_000

const MOST_FLAWS = 20
const TOO_DEEP = `is nested deeper than ${MAX_DEPTH} levels`

/** Tells whether a JSON text is too large to be parsed for one task: by the number of its values, or their nesting. */
export function sizeFlaw(text: string): Flaw | undefined {
  if (text.length <= MAX_VALUES) return undefined
  const { depth, values } = shapeOf(text)
  if (depth > MAX_DEPTH) return { pointer: '', detail: TOO_DEEP }
  return values > MAX_VALUES ? { pointer: '', detail: `has more than ${MAX_VALUES} values and keys` } : undefined
}

/**
 * Lists every place of a JSON value that cannot be stored as it was sent, at most 20.
 * @param text what the client sent
 * @param value what `JSON.parse` made of it
 */
export function flawsOf(text: string, value: unknown): Flaw[] {
  const { depth, hasPlainNumbers, hasPlainTexts } = shapeOf(text)
  if (depth <= MAX_DEPTH && hasPlainNumbers && hasPlainTexts) return []
  // Reading with a reviver goes down by recursion, so not into what is nested too deep anyway.
  return findFlaws(hasPlainNumbers || depth > MAX_DEPTH ? value : withInexactMarked(text))
}

/** Stands in a value where a number would lose digits. */
class Inexact {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

function withInexactMarked(text: string): unknown {
  const mark: Reviver = (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    const detail = inexactnessOf(source, value)
    return detail === undefined ? value : new Inexact(detail)
  }
  // The third argument is in V8 since 11.4 and not yet in the types: https://github.com/tc39/proposal-json-parse-with-source
  return JSON.parse(text, mark as Parameters<typeof JSON.parse>[1])
}

/** A container that is to be walked, and the way to it. */
interface Open {
  readonly value: object
  readonly key: string
  readonly parent: Open | undefined
  readonly depth: number
}

/** Walks without recursion, so nesting cannot exhaust the stack. */
function findFlaws(root: unknown): Flaw[] {
  const flaws: Flaw[] = []
  const open: Open[] = []
  const look = (value: unknown, key: string, parent: Open | undefined): void => {
    const detail = flawOf(value)
    if (detail !== undefined) flaws.push({ pointer: pointerTo(key, parent), detail })
    else if (typeof value === 'object' && value !== null) {
      const depth = (parent?.depth ?? 0) + 1
      if (depth > MAX_DEPTH) {
        flaws.push({ pointer: pointerTo(key, parent), detail: TOO_DEEP })
      } else open.push({ value, key, parent, depth })
    }
  }
  look(root, '', undefined)
  for (let next = open.pop(); next && flaws.length < MOST_FLAWS; next = open.pop()) {
    const isArray = Array.isArray(next.value)
    for (const [key, inner] of Object.entries(next.value)) {
      const detail = isArray ? undefined : keyFlaw(key)
      if (detail !== undefined) flaws.push({ pointer: pointerTo(next.key, next.parent), detail })
      look(inner, key, next)
    }
  }
  return flaws.slice(0, MOST_FLAWS)
}

function flawOf(value: unknown): string | undefined {
  if (typeof value === 'string') return textFlaw(value)
  return value instanceof Inexact ? value.detail : undefined
}

function keyFlaw(key: string): string | undefined {
  if (key === '__proto__') return 'has a key "__proto__", which is refused'
  const detail = textFlaw(key)
  return detail && `has a key that ${detail}`
}

/** The root has no parent, and the pointer to it is empty. */
function pointerTo(key: string, parent: Open | undefined): string {
  const tokens: string[] = []
  for (let [name, above] = [key, parent]; above; [name, above] = [above.key, above.parent]) {
    tokens.unshift(`/${escapePointer(name)}`)
  }
  return tokens.join('')
}
