/** The last step: the delivery is answered. */
import type { Attempt } from './attempt.ts'

/** Gives the broker the answer that the steps decided. */
export function acknowledge({ delivery, answer }: Attempt): void {
  if (answer === 'ack') delivery.ack()
  else if (answer === 'requeue') delivery.requeue()
  else if (answer === 'reject') delivery.reject()
}

/**
 * Answers what a drain leaves over, after the hand-back. What was claimed has been handed back, with a message of its own;
 * what was not has only this one.
 */
export function acknowledgeLeft(attempts: Iterable<Attempt>): void {
  for (const { delivery, task } of attempts) task === undefined ? delivery.requeue() : delivery.ack()
}
