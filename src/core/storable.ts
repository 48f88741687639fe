/**
 * What PostgreSQL cannot store in text and jsonb: NUL (22P05, 22021) and lone surrogates (22P02). Input is refused with
 * the place named; output (results, error texts) is made storable visibly, so that recording a failure cannot fail.
 */

/** Writes a key as one token of a JSON Pointer (RFC 6901). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** Tells what is wrong with one string, or nothing. */
export function textFlaw(text: string): string | undefined {
  if (text.includes('\u0000')) return 'must not contain the NUL character (\\u0000)'
  if (!text.isWellFormed()) return 'must not contain a lone surrogate (half of a UTF-16 pair)'
  return undefined
}

/** Makes any text storable: NUL and lone surrogates become U+FFFD, more than `atMost` characters are cut and marked. */
export function storableText(text: string, atMost = 8_192): string {
  const cut = text.length > atMost ? `${text.slice(0, atMost)}… (${text.length - atMost} more characters)` : text
  return cut.replaceAll('\u0000', '\ufffd').toWellFormed()
}

/**
 * Writes a handler's result as JSON that PostgreSQL accepts. Never throws: what cannot be kept is replaced by an object
 * that says so, because a result that cannot be stored must not undo the work.
 * @param atMostBytes larger results are replaced, default 1 MiB
 */
export function storableJson(value: unknown, atMostBytes = 1_048_576): string {
  let text: string | undefined
  try {
    text = jsonOf(value)
  } catch (error) {
    return JSON.stringify({ nightshift_result_unstorable: storableText(String(error), 300) })
  }
  if (text === undefined) return 'null'
  const bytes = Buffer.byteLength(text)
  return bytes > atMostBytes ? JSON.stringify({ nightshift_result_too_large: { bytes, at_most: atMostBytes } }) : text
}

/** NUL and lone surrogates leave JSON.stringify as these escapes. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/

/** Looks at every value only when something must be replaced: doing so always was 2 % of the consumer's time. */
function jsonOf(value: unknown): string | undefined {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    // A bigint, or what cannot be written at all.
    return replacedJson(value)
  }
  return text !== undefined && UNSTORABLE.test(text) ? replacedJson(value) : text
}

function replacedJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'string') return inner.replaceAll('\u0000', '\ufffd').toWellFormed()
    if (typeof inner === 'bigint') return inner.toString()
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return withStorableKeys(inner)
    return inner
  })
}

function withStorableKeys(object: object): object {
  const keys = Object.keys(object)
  if (keys.every((key) => textFlaw(key) === undefined)) return object
  return Object.fromEntries(Object.entries(object).map(([key, inner]) => [storableText(key), inner]))
}
