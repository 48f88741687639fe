/**
 * Shows what cannot be seen. Texts of clients and of servers may hold characters that wipe a terminal, write to its
 * clipboard, or turn the order of what follows round: whoever prints such a text prints each of them escaped. Pure.
 */

/** Control characters, formats (among them those that turn the direction of text), separators of lines, lone surrogates. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** The same for JSON, in which control characters below space stand escaped already, and line ends between its values. */
const UNSEEN_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Writes a text so that it stays in its line and shows every character that it has. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, escaped)
}

/** Does the same to JSON that is written already; it says the same as before. */
export function visibleJson(json: string): string {
  return json.replaceAll(UNSEEN_IN_JSON, escaped)
}

/** As JSON writes it: one escape for each half of what lies beyond 16 bits. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')
}
