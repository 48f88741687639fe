/** Works on several items at once and gives the results in the order of the items, each as soon as it can be. */

interface Place<Result> {
  result?: Result
  isDone: boolean
}

/**
 * Takes items only as fast as they are worked on: at most `atOnce` are under way or waiting for an earlier one. Items come
 * and results go in groups, as many as there are: handing over each by itself costs several promises.
 * An error of the source comes after the results of all items before it. `work` must not reject.
 */
export async function* inOrder<Item, Result>(
  source: Iterable<readonly Item[]> | AsyncIterable<readonly Item[]>,
  atOnce: number,
  work: (item: Item, index: number) => Promise<Result>,
): AsyncGenerator<Result[]> {
  const open: Place<Result>[] = []
  let isEnded = false
  let wakes: (() => void)[] = []
  const wake = (): void => {
    const all = wakes
    wakes = []
    for (const one of all) one()
  }
  const change = (): Promise<void> => new Promise((resolve) => wakes.push(resolve))

  function begin(item: Item, index: number): void {
    const place: Place<Result> = { isDone: false }
    open.push(place)
    void work(item, index).then((result) => {
      place.result = result
      place.isDone = true
      if (open[0] === place) wake()
    })
  }

  async function read(): Promise<void> {
    let index = 0
    for await (const group of source) {
      for (const item of group) {
        while (open.length >= atOnce && !isEnded) await change()
        if (isEnded) return
        begin(item, index++)
      }
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
      const first = open.findIndex(({ isDone }) => !isDone)
      const ready = open.splice(0, first === -1 ? open.length : first)
      if (ready.length > 0) {
        wake()
        yield ready.map(({ result }) => result as Result)
      } else if (isEnded && open.length === 0) break
      else await change()
    }
    await reading
    if (failure) throw failure.error
  } finally {
    isEnded = true
    wake()
  }
}
