/** What is known of something that is looked at again and again. Whoever reads a figure has to decide what each state means. */

export type Figure<Value> =
  /** The last look told it. `at` is when it was asked for, in monotonic milliseconds. */
  | { readonly state: 'known'; readonly value: Value; readonly at: number }
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
  /** Made once by each look, because the door reads it for every task. */
  #last: Extract<Figure<Value>, { state: 'known' }> | undefined
  #isCurrent = false

  constructor(limits: FigureLimits) {
    this.#limits = limits
  }

  /** Notes what a look told. @param at when it was asked for */
  told(value: Value, at: number): void {
    this.#last = { state: 'known', value, at }
    this.#isCurrent = true
  }

  /** Notes that a look did not tell it. */
  notTold(): void {
    this.#isCurrent = false
  }

  figure(now: number): Figure<Value> {
    if (this.#last === undefined) return { state: 'unknown' }
    const ageMs = now - this.#last.at
    if (ageMs > this.#limits.forgottenMs) return { state: 'unknown' }
    if (this.#isCurrent && ageMs <= this.#limits.knownMs) return this.#last
    return { state: 'last_known', value: this.#last.value, ageMs }
  }
}
