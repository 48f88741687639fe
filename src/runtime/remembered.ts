/** Asks again only after a while; those who ask meanwhile share one answer, and so its error. */
export function remembered<Value>(forMs: number, ask: () => Promise<Value>): () => Promise<Value> {
  let last: { readonly answer: Promise<Value>; readonly until: number } | undefined
  return () => {
    if (!last || last.until < performance.now()) last = { answer: ask(), until: performance.now() + forMs }
    return last.answer
  }
}
