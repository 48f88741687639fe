/**
 * Looks at JSON text without parsing it: how deep and how large it is, which items an array has, what one field says. It
 * allocates nothing per value, so that a hostile body is refused for less than it cost to send. The text need not be
 * valid JSON; only a parser can tell that.
 */

/** What a text is like, as far as it matters before it is parsed. */
export interface Shape {
  /** How many arrays and objects stand inside each other at most. */
  readonly depth: number
  /** How many values and keys there are, at most. */
  readonly values: number
  /** No number in it is longer than 15 characters, has an exponent, or is -0: each is read as it is written. */
  readonly hasPlainNumbers: boolean
  /** It has no `\u` escape and no `__proto__`: each text can be stored as it is. */
  readonly hasPlainTexts: boolean
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d

const opens = (code: number): boolean => code === 0x5b || code === 0x7b
const closes = (code: number): boolean => code === 0x5d || code === 0x7d
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39
const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d)

/** A double keeps 15 significant decimal digits, whichever (IEEE 754, binary64). */
const KEPT_DIGITS = 15
const NUMBER = /[-+.\deE]+/y

/** Tells what a JSON text is like. Takes about a nanosecond per character, and long strings at once. */
export function shapeOf(text: string): Shape {
  let depth = 0
  let deepest = 0
  let values = 1
  let hasPlainNumbers = true
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (opens(code)) {
      depth += 1
      values += 1
      if (depth > deepest) deepest = depth
    } else if (closes(code)) depth -= 1
    else if (code === COMMA || code === COLON) values += 1
    else if (isDigit(code) || code === MINUS) {
      NUMBER.lastIndex = at
      const number = NUMBER.exec(text)?.[0] ?? ''
      if (number.length > KEPT_DIGITS || /[eE]|^-0/.test(number)) hasPlainNumbers = false
      at += number.length - 1
    }
  }
  const hasPlainTexts = !text.includes('\\u') && !text.includes('__proto__')
  return { depth: deepest, values, hasPlainNumbers, hasPlainTexts }
}

/**
 * Finds the items of an array.
 * @param atMost once there are more, the rest is not looked at
 * @returns the text of each item, empty where none stands between two commas; undefined when the text is not one
 *   whole array
 */
export function itemsOf(text: string, atMost: number): string[] | undefined {
  let at = afterSpace(text, 0)
  if (text[at] !== '[') return undefined
  const items: string[] = []
  let depth = 0
  let from = at + 1
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (opens(code)) depth += 1
    else if (code === COMMA && depth === 1) {
      items.push(text.slice(from, at))
      from = at + 1
      if (items.length > atMost) return items
    } else if (closes(code)) {
      depth -= 1
      if (depth === 0) break
    }
  }
  if (text[at] !== ']' || afterSpace(text, at + 1) < text.length) return undefined
  if (items.length > 0 || afterSpace(text, from) < at) items.push(text.slice(from, at))
  return items
}

/**
 * Reads a string field of an object, the first of its name.
 * @returns undefined when there is none, it is no string, or it has an escape
 */
export function stringFieldOf(text: string, name: string): string | undefined {
  const wanted = `"${name}"`
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (opens(code)) depth += 1
    else if (closes(code)) depth -= 1
    else if (code === QUOTE) {
      const end = endOfString(text, at)
      const colon = afterSpace(text, end + 1)
      if (depth === 1 && text.charCodeAt(colon) === COLON && text.startsWith(wanted, at)) {
        return plainStringAt(text, afterSpace(text, colon + 1))
      }
      at = end
    }
  }
  return undefined
}

function plainStringAt(text: string, at: number): string | undefined {
  if (text.charCodeAt(at) !== QUOTE) return undefined
  const value = text.slice(at + 1, endOfString(text, at))
  return value.includes('\\') ? undefined : value
}

/** @returns where the quote stands that ends the string which begins at `from`; the end of the text when none does */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === 0x5c) before -= 1
    if ((end - before) % 2 === 1) return end
  }
  return text.length
}

function afterSpace(text: string, from: number): number {
  let at = from
  while (isSpace(text.charCodeAt(at))) at += 1
  return at
}
