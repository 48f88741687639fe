/** The work of one life: its subscriptions, and the attempts that come of them, until it is drained. */
import { Aborted } from 'nightshift-tasks'
import type { Session } from '../broker/session.ts'
import { type Subscription, subscribe } from '../broker/subscription.ts'
import type { Topology } from '../broker/topology.ts'
import { settledWithin } from '../runtime/wait.ts'
import { acknowledgeLeft } from './ack.ts'
import { Steps, type StepsOptions } from './steps.ts'

export interface WorkOptions extends Omit<StepsOptions, 'draining'> {
  readonly topology: Topology
  readonly drainGraceSeconds: number
  /** Aborts when the consumer stops: no more is taken from then on. */
  readonly stopping: AbortSignal
}

/** How long attempts that were told to stop may still take. */
const END_MS = 1_000

export class Work {
  readonly life: StepsOptions['life']
  readonly #options: WorkOptions
  readonly #draining = new AbortController()
  readonly #steps: Steps
  #subscriptions: readonly Subscription[] = []

  constructor(options: WorkOptions) {
    this.life = options.life
    this.#options = options
    this.#steps = new Steps({ ...options, draining: this.#draining.signal })
  }

  /** Takes deliveries of all queues, as long as the session and the life last. */
  subscribeTo(session: Session): void {
    const { queues, topology, log, stopping } = this.#options
    if (stopping.aborted || this.life.over.aborted) return
    this.#subscriptions = [...queues].map(([queue, prefetch]) =>
      subscribe({
        session,
        topology,
        queue,
        prefetch,
        log,
        onDelivery: (delivery) => void this.#steps.handle(delivery),
      }),
    )
  }

  /** Finishes what fits in the grace period, hands the rest back, and answers every delivery. */
  async drain(): Promise<void> {
    const { drainGraceSeconds, stopping } = this.#options
    await Promise.all(this.#subscriptions.map((subscription) => subscription.cancel()))
    // Only now: what is given back while still subscribed would come straight back, and count as delivered.
    this.#draining.abort(new Aborted('drain'))
    const idle = this.#steps.idle()
    await settledWithin(drainGraceSeconds * 1_000, idle)
    const left = [...this.#steps.unacked]
    this.life.tellAll(new Aborted('drain'))
    await this.life.handBack('told_to_stop', stopping)
    acknowledgeLeft(left)
    this.life.close()
    await settledWithin(END_MS, idle)
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()))
  }
}
