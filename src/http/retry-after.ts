/** The one maker of `Retry-After`: whole seconds, 1 or more, the same number in the header and in a problem's body. */

export interface RetryAfter {
  readonly retryAfterSeconds: number
  readonly headers: { readonly 'retry-after': string }
}

/** Says after how many seconds it is worth asking again. */
export function retryAfter(seconds: number): RetryAfter {
  const retryAfterSeconds = Math.max(1, Math.ceil(seconds))
  return { retryAfterSeconds, headers: { 'retry-after': String(retryAfterSeconds) } }
}
