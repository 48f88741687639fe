/** One attempt on its way through the steps: what is known of it so far, and what its delivery will be answered. */
import type { Delivery } from '../broker/delivery.ts'
import type { WakeUp } from '../core/message.ts'
import { tracing } from '../runtime/tracing.ts'
import type { ClaimedTask } from '../store/moves/claim.ts'
import type { Settlement } from '../store/moves/settle.ts'
import { Abort } from './abort.ts'

/** leave: nothing is said now. Its life is over or hands it back, and what comes then answers the delivery. */
export type Answer = 'ack' | 'reject' | 'requeue' | 'leave'

/** committed: the task's own transaction settled it. given_up: another decided, or the life is over; nothing to write. */
export type Ran = Settlement | 'committed' | 'given_up'

export class Attempt {
  readonly delivery: Delivery
  readonly abort = new Abort()
  wakeUp: WakeUp | undefined = undefined
  task: ClaimedTask | undefined = undefined
  ran: Ran | undefined = undefined
  /** Undefined as long as the attempt is on its way. */
  answer: Answer | undefined = undefined
  /** Lets go of the gate; set while the attempt is inside. */
  leaveGate: (() => void) | undefined = undefined
  /** Called when its turn ends; set by the copy that waits for it. */
  onLeft: (() => void) | undefined = undefined

  constructor(delivery: Delivery) {
    this.delivery = delivery
  }
}

export interface Decoded extends Attempt {
  wakeUp: WakeUp
}

export interface Claimed extends Decoded {
  task: ClaimedTask
}

export interface Executed extends Claimed {
  ran: Settlement | 'committed'
}

/** The fields of every line about an attempt. */
export function idsOf(task: ClaimedTask): object {
  return {
    request_id: task.requestId,
    task_id: task.id,
    task: task.name,
    attempt: task.attempt,
    trace_id: tracing.traceIdOf(task),
    client: task.client,
  }
}
