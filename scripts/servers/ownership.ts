// Keeps servers from outliving the process that started them: whatever is still owned when this process
// exits, or is ended by SIGINT, SIGTERM or SIGHUP, is ended too. (Nothing can be done about SIGKILL.)

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const
const owned = new Set<() => void>()
let isWatching = false

/**
 * Calls `endNow` when this process ends, unless released before.
 *
 * @param endNow  must be synchronous: an exiting process runs nothing else
 * @returns the release
 */
export function own(endNow: () => void): () => void {
  watch()
  owned.add(endNow)
  return () => owned.delete(endNow)
}

function watch(): void {
  if (isWatching) return
  isWatching = true
  process.on('exit', endAll)
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name as keyof typeof SIGNALS, () => {
      // Whoever else listens stops in its own order and exits, which brings us to 'exit'. Alone, it is ours to exit.
      if (process.listenerCount(name) === 1) process.exit(128 + number)
    })
  }
}

function endAll(): void {
  for (const endNow of owned) {
    try {
      endNow()
    } catch {
      // The next one must still be ended.
    }
  }
  owned.clear()
}
