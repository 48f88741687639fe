/**
 * How long a link waits before it connects again. A broker that is back is used again within 3 s, however long it was
 * away; the jitter keeps replicas from returning together.
 */

const LEAST_WAIT_MS = 100
const MOST_WAIT_MS = 3_000
/** A session that lived this long was no failure to connect. */
const LONG_LIFE_MS = 10_000
/**
 * The waits double up to 1.7 s when sessions come up and soon end: the broker is there. A message that amqplib cannot
 * decode ends each session it is delivered to, and only after so many deliveries does the broker set it aside.
 */
const MOST_FAILURES_WHEN_UP = 4

export class Backoff {
  #failures = 0

  /**
   * Counts the end of a session, or a try that came to none, and gives the milliseconds to wait, 100-3,000.
   *
   * @param livedMs  how long the session was ready; undefined when there was none
   */
  after(livedMs: number | undefined): number {
    this.#failures += 1
    if (livedMs !== undefined)
      this.#failures = livedMs > LONG_LIFE_MS ? 1 : Math.min(this.#failures, MOST_FAILURES_WHEN_UP)
    return LEAST_WAIT_MS + Math.random() * Math.min(MOST_WAIT_MS - LEAST_WAIT_MS, LEAST_WAIT_MS * 2 ** this.#failures)
  }
}
