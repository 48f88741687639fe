/** What is known of something that is looked at again and again. Whoever reads a figure has to decide what each state means. */

export type Figure<Value> =
  /** The last look told it. */
  | { readonly state: 'known'; readonly value: Value }
  /** The last look did not tell it, or is long in coming; this is what an earlier one told. */
  | { readonly state: 'last_known'; readonly value: Value; readonly ageMs: number }
  | { readonly state: 'unknown' }

export interface FigureLimits {
  /** For how many milliseconds what a look told counts as known while the next look is under way. */
  readonly knownMs: number
  /** After how many milliseconds what was known is forgotten. */
  readonly forgottenMs: number
}

/** Remembers one figure. Times are monotonic milliseconds. */
export class Remembered<Value> {
  readonly #limits: FigureLimits
  #last: { readonly value: Value; readonly at: number } | undefined
  #isCurrent = false

  constructor(limits: FigureLimits) {
    this.#limits = limits
  }

  /** Notes what a look told. */
  told(value: Value, at: number): void {
    this.#last = { value, at }
    this.#isCurrent = true
  }

  /** Notes that a look did not tell it. */
  notTold(): void {
    this.#isCurrent = false
  }

  figure(now: number): Figure<Value> {
    if (this.#last === undefined) return { state: 'unknown' }
    const { value, at } = this.#last
    const ageMs = now - at
    if (ageMs > this.#limits.forgottenMs) return { state: 'unknown' }
    return this.#isCurrent && ageMs <= this.#limits.knownMs
      ? { state: 'known', value }
      : { state: 'last_known', value, ageMs }
  }
}
