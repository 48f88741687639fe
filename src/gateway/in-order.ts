/** Works on several items at once and gives the results in the order of the items, each as soon as it can be. */

/**
 * Takes items only as fast as they are worked on: at most `atOnce` are under way or waiting for an earlier one.
 * An error of the source comes after the results of all items before it. `work` must not reject.
 */
export async function* inOrder<Item, Result>(
  source: Iterable<Item> | AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item, index: number) => Promise<Result>,
): AsyncGenerator<Result> {
  const open: Promise<Result>[] = []
  let changed = Promise.withResolvers<void>()
  let isEnded = false
  const wake = (): void => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }

  async function read(): Promise<void> {
    let index = 0
    for await (const item of source) {
      while (open.length >= atOnce && !isEnded) await changed.promise
      if (isEnded) return
      open.push(work(item, index++))
      wake()
    }
  }

  let failure: { readonly error: unknown } | undefined
  const reading = read()
    .catch((error: unknown) => {
      failure = { error }
    })
    .finally(() => {
      isEnded = true
      wake()
    })
  try {
    for (;;) {
      const next = open[0]
      if (next === undefined) {
        if (isEnded) break
        await changed.promise
        continue
      }
      yield await next
      open.shift()
      wake()
    }
    await reading
    if (failure) throw failure.error
  } finally {
    isEnded = true
    wake()
  }
}
