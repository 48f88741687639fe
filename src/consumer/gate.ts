/**
 * Lets attempts in together, and an attempt that must run alone by itself: it waits until all others have left, and
 * whoever comes after it waits for it. In order of arrival, so that neither kind starves.
 */
export interface Gate {
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

  function admitNext(): void {
    for (let next = queue[0]; next && !isAlone && (!next.alone || inside === 0); next = queue[0]) {
      queue.shift()
      inside += 1
      isAlone = next.alone
      next.admit()
    }
  }

  function leaveOnce(): () => void {
    let left = false
    return () => {
      if (left) return
      left = true
      inside -= 1
      if (inside === 0) isAlone = false
      admitNext()
    }
  }

  return {
    enter(alone, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const waiting: Waiting = {
          alone,
          admit: () => {
            signal.removeEventListener('abort', giveUp)
            resolve(leaveOnce())
          },
        }
        const giveUp = (): void => {
          queue.splice(queue.indexOf(waiting), 1)
          reject(signal.reason)
          admitNext()
        }
        signal.addEventListener('abort', giveUp, { once: true })
        queue.push(waiting)
        admitNext()
      })
    },
  }
}
