/** The conditions of a list that is filtered by whatever the caller names: a condition without its value is left out. */

export class Conditions {
  readonly values: unknown[]
  readonly #all: string[] = []

  /** @param values those that come before, from $1 on */
  constructor(...values: unknown[]) {
    this.values = values
  }

  /** Adds a condition in which `?` stands for the value, unless there is no value. */
  add(condition: string, value: unknown): void {
    if (value === undefined || value === null) return
    this.#all.push(condition.replaceAll('?', this.value(value)))
  }

  /** Adds a condition that has no value. */
  always(condition: string): void {
    this.#all.push(condition)
  }

  /** Adds a value and returns how the statement names it, such as `$3`. */
  value(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  /** The conditions, to stand after `where`. */
  get text(): string {
    return this.#all.length > 0 ? this.#all.join(' and ') : 'true'
  }
}
