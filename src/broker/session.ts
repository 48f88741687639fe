/**
 * One connection to the broker, from its coming up to its end. Nothing that belongs to an ended session is ever used
 * again. The traps of amqplib 2.3.1 that this and link.ts close were each seen to crash or hang plainer code; they are
 * named where they are closed.
 */
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib'
import type { Log } from '../runtime/log.ts'
import { settledWithin, within } from '../runtime/wait.ts'
import { brokerVersion, cutOff } from './amqplib-privates.ts'

/** The broker did not answer in time; whether it will, nobody knows. */
export class NoAnswer extends Error {
  override name = 'NoAnswer'
}

export interface Session {
  /** Counts the connections of this link, from 1. */
  readonly generation: number
  /** What the broker says it is, such as `3.10.8`; undefined when it does not say. */
  readonly version: string | undefined
  /** Aborts when the connection is gone. */
  readonly ended: AbortSignal
  /** Opens a channel whose errors are logged. Rejects when the connection ends first. */
  openChannel(): Promise<Channel>
  openConfirmChannel(): Promise<ConfirmChannel>
  /** Gives what a call to the broker answers, or rejects after 10 s or when the connection ends: it may never answer. */
  answered<Result>(what: string, call: Promise<Result>): Promise<Result>
  /** Gives the connection up; the link makes a new one. */
  fail(why: string): void
}

const ANSWER_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 3_000

/** The session as its link has it. */
export class Connection implements Session {
  readonly generation: number
  readonly #model: ChannelModel
  readonly #ended = new AbortController()
  readonly #log: Log

  /** To be made in the turn in which the connection came up. */
  constructor(model: ChannelModel, generation: number, log: Log) {
    // Without an error listener, bound before anything else, a reset connection ends the process.
    model.on('error', (error: Error) => this.fail(error.message))
    model.on('close', () => this.fail('the connection was closed'))
    this.#model = model
    this.#log = log
    this.generation = generation
  }

  get version(): string | undefined {
    return brokerVersion(this.#model)
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  // While the broker blocks publishers, opening a channel on a publishing connection is not answered.
  async openChannel(): Promise<Channel> {
    return this.#guarded(await this.answered('opening a channel', this.#model.createChannel()))
  }

  async openConfirmChannel(): Promise<ConfirmChannel> {
    return this.#guarded(await this.answered('opening a channel', this.#model.createConfirmChannel()))
  }

  answered<Result>(what: string, call: Promise<Result>): Promise<Result> {
    return this.whileItLasts(ANSWER_TIMEOUT_MS, what, call)
  }

  /** Resolves like `work`, or rejects when it takes too long or the session ends: amqplib may answer neither way. */
  async whileItLasts<Result>(ms: number, what: string, work: Promise<Result>): Promise<Result> {
    const over = Promise.withResolvers<never>()
    const end = (): void => over.reject(this.ended.reason)
    if (this.ended.aborted) end()
    this.ended.addEventListener('abort', end)
    try {
      const late = (): Error => new NoAnswer(`${what} took longer than ${ms / 1_000} s`)
      return await within(ms, Promise.race([work, over.promise]), late)
    } finally {
      // A session may live for weeks, and every call would leave a listener behind.
      this.ended.removeEventListener('abort', end)
    }
  }

  /** The first reason is the one that counts. */
  fail(why: string): void {
    if (!this.ended.aborted) this.#ended.abort(new Error(why))
  }

  /** Closes the connection, by force when the broker does not answer: amqplib's `close()` then never settles by itself. */
  async close(): Promise<void> {
    await settledWithin(CLOSE_TIMEOUT_MS, this.#model.close())
    cutOff(this.#model)
  }

  // A channel without an error listener ends the process too. Its 'close' is the signal that its owners act on.
  #guarded<Kind extends Channel>(channel: Kind): Kind {
    channel.on('error', (error: Error) => this.#log.warn({ error: error.message }, 'a broker channel failed'))
    channel.on('handler-error', (error: Error) => this.#log.error({ error }, 'a broker event handler threw'))
    return channel
  }
}
