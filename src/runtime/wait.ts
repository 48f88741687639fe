/** The ways in which a process waits: for a while, for an abort, for an answer, and never longer than it should. */

/** Waits `ms` milliseconds, or until the signal aborts if that is sooner. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  // Not `timers/promises`: aborting that makes an error for every call.
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(running)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const running = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}

/** Resolves once the signal aborts, at once when it has. Never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Gives what the work gives, or rejects with what `late` makes when it takes longer. The work itself is not stopped. */
export async function within<Result>(ms: number, work: Promise<Result>, late: () => Error): Promise<Result> {
  let running: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    running = setTimeout(() => reject(late()), ms)
  })
  try {
    return await Promise.race([work, tooLong])
  } finally {
    clearTimeout(running)
  }
}

/** Resolves when the work settles, either way, or after `ms`. Never rejects, and keeps no process alive. */
export function settledWithin(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const running = setTimeout(resolve, ms).unref()
    const end = (): void => {
      clearTimeout(running)
      resolve()
    }
    work.then(end, end)
  })
}

export interface Asking<Answer> {
  /** Asks once. `undefined` means that there is no answer yet. */
  readonly ask: () => Promise<Answer | undefined>
  /** Ends the asking. */
  readonly signal: AbortSignal
  /** Milliseconds after the first try without an answer; doubled after each, with jitter of a half. */
  readonly firstWaitMs: number
  readonly longestWaitMs: number
  /** Called with what `ask` rejects with; rethrow what asking again cannot help. */
  readonly onError: (error: Error) => void
}

/** Asks until there is an answer. Gives undefined when the signal aborts first. */
export async function untilAnswered<Answer>(asking: Asking<Answer>): Promise<Answer | undefined> {
  const { ask, signal, firstWaitMs, longestWaitMs, onError } = asking
  for (let waitMs = firstWaitMs; !signal.aborted; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      onError(error as Error)
    }
    await pause(waitMs * (0.5 + Math.random()), signal)
  }
  return undefined
}

/** Asks again only after a while; those who ask meanwhile share one answer, and so its error. */
export function remembered<Value>(forMs: number, ask: () => Promise<Value>): () => Promise<Value> {
  let last: { readonly answer: Promise<Value>; readonly until: number } | undefined
  return () => {
    if (!last || last.until < performance.now()) last = { answer: ask(), until: performance.now() + forMs }
    return last.answer
  }
}
