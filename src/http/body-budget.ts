/**
 * Bounds the bytes of bodies that a process holds at once, for each client before all together: a client that sends
 * much at once is told so, and takes no memory from the others.
 */
import { Problem } from './problem.ts'

export interface BodyLimits {
  readonly processBytes: number
  readonly clientBytes: number
}

const MIB = 1024 * 1024
/** Two of the largest batches per client; in all an eighth of the memory that the chart gives an api. */
const BODY_LIMITS: BodyLimits = { processBytes: 64 * MIB, clientBytes: 16 * MIB }

export class BodyBudget {
  readonly #limits: BodyLimits
  readonly #byClient = new Map<string, number>()
  #held = 0

  constructor(limits: BodyLimits = BODY_LIMITS) {
    this.#limits = limits
  }

  /** @throws Problem too-much-at-once when the client holds too much, unavailable when all together do; then nothing is taken */
  take(client: string, bytes: number): void {
    const own = (this.#byClient.get(client) ?? 0) + bytes
    const { clientBytes, processBytes } = this.#limits
    if (own > clientBytes) {
      throw new Problem(
        'too-much-at-once',
        `your requests under way have more than ${clientBytes} bytes: send fewer of them at once`,
        { retryAfterSeconds: 1, headers: { connection: 'close' } },
      )
    }
    if (this.#held + bytes > processBytes) {
      const detail = `the requests under way here have more than ${processBytes} bytes; repeat this after a while`
      throw new Problem('unavailable', detail, { retryAfterSeconds: 1, headers: { connection: 'close' } })
    }
    this.#byClient.set(client, own)
    this.#held += bytes
  }

  giveBack(client: string, bytes: number): void {
    const left = (this.#byClient.get(client) ?? 0) - bytes
    if (left > 0) this.#byClient.set(client, left)
    else this.#byClient.delete(client)
    this.#held -= bytes
  }
}
