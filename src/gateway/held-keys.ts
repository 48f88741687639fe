/**
 * The idempotency keys of the batches under way. Of two rows that share a key the second waits until the batch of the
 * first has ended: the first one counts, always.
 */
import type { NewTask } from '../core/new-task.ts'
import type { Row } from './row.ts'

const keysOf = ({ task }: Row): readonly string[] => {
  const { client, keys } = task as NewTask
  return keys.map(({ key }) => `${client}\n${key}`)
}

export class HeldKeys {
  readonly #held = new Set<string>()

  /**
   * Takes rows for a batch, in order, until it is full.
   * @param fits tells whether one more row fits into it
   * @returns the rows taken, whose keys are now held, and the others, in their order
   */
  take(rows: readonly Row[], fits: (row: Row) => boolean): { readonly taken: Row[]; readonly left: Row[] } {
    const taken: Row[] = []
    const left: Row[] = []
    // Of what is left too, so that a third does not overtake the second.
    const leftKeys = new Set<string>()
    for (const [at, row] of rows.entries()) {
      const keys = (row.task as NewTask).keys.length === 0 ? [] : keysOf(row)
      if (keys.some((key) => this.#held.has(key) || leftKeys.has(key))) {
        left.push(row)
        for (const key of keys) leftKeys.add(key)
      } else if (fits(row)) {
        taken.push(row)
        for (const key of keys) this.#held.add(key)
      } else {
        left.push(...rows.slice(at))
        break
      }
    }
    return { taken, left }
  }

  /** Lets go of the keys of a batch that has ended. */
  release(rows: readonly Row[]): void {
    for (const row of rows) for (const key of keysOf(row)) this.#held.delete(key)
  }
}
