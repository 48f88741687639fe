// Shows how far the demo is: one bar that is redrawn on a terminal, a line every two seconds elsewhere.

export interface Progress {
  show(text: string, done: number, of: number): void
  /** Ends the bar, so that what is printed next stands below it. */
  end(): void
}

/** Bar and text together must fit 80 columns: a line that wraps cannot be redrawn. */
const WIDTH = 24
const PLAIN_EVERY_MS = 2_000

/** Makes the progress of one run, written to standard output. */
export function createProgress(out: NodeJS.WriteStream = process.stdout): Progress {
  let last = ''
  let plainAt = 0
  return {
    show(text, done, of) {
      const share = of === 0 ? 1 : Math.min(1, done / of)
      if (!out.isTTY) {
        const now = performance.now()
        if ((now - plainAt < PLAIN_EVERY_MS && share < 1) || text === last) return
        plainAt = now
        last = text
        out.write(`  ${text}\n`)
        return
      }
      const full = Math.round(share * WIDTH)
      last = `  [${'█'.repeat(full)}${'·'.repeat(WIDTH - full)}] ${text}`
      out.write(`\r\u001b[K${last}`)
    },
    end() {
      if (out.isTTY && last !== '') out.write('\n')
      last = ''
    },
  }
}
