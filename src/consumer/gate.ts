/**
 * Lets attempts in together, and an attempt that must run alone by itself: it waits until all others have left, and
 * whoever comes after it waits for it. In order of arrival, so that neither kind starves.
 */
export interface Gate {
  /** Lets the attempt in if it may run now, as `enter` does; undefined when it must wait. */
  tryEnter(alone: boolean): (() => void) | undefined
  /** Resolves when the attempt may run, with the function that lets go again; rejects when the signal aborts first. */
  enter(alone: boolean, signal: AbortSignal): Promise<() => void>
}

interface Waiting {
  readonly alone: boolean
  readonly admit: () => void
}

export function createGate(): Gate {
  const queue: Waiting[] = []
  let inside = 0
  let isAlone = false

  const isFree = (alone: boolean): boolean => !isAlone && (!alone || inside === 0)

  function letIn(alone: boolean): () => void {
    inside += 1
    isAlone = alone
    let left = false
    return () => {
      if (left) return
      left = true
      inside -= 1
      if (inside === 0) isAlone = false
      admitNext()
    }
  }

  function admitNext(): void {
    for (let next = queue[0]; next && isFree(next.alone); next = queue[0]) {
      queue.shift()
      next.admit()
    }
  }

  const tryEnter: Gate['tryEnter'] = (alone) => (queue.length === 0 && isFree(alone) ? letIn(alone) : undefined)

  return {
    tryEnter,
    async enter(alone, signal) {
      signal.throwIfAborted()
      const leave = tryEnter(alone)
      if (leave) return leave
      return new Promise((resolve, reject) => {
        const waiting: Waiting = {
          alone,
          admit: () => {
            signal.removeEventListener('abort', giveUp)
            resolve(letIn(alone))
          },
        }
        const giveUp = (): void => {
          queue.splice(queue.indexOf(waiting), 1)
          reject(signal.reason)
          admitNext()
        }
        signal.addEventListener('abort', giveUp, { once: true })
        queue.push(waiting)
      })
    },
  }
}
