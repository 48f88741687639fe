// A connection and channels that answer when the test says so: the order of events is chosen, which no real broker allows.
import { EventEmitter } from 'node:events'
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import { Connection } from '../../src/broker/session.ts'
import { type Log, silentLog } from '../../src/runtime/log.ts'

/** Answers a call that nobody says more about. */
const AT_ONCE = async (): Promise<unknown> => ({ consumerTag: 'tag', messageCount: 0, consumerCount: 0 })
const METHODS = ['prefetch', 'consume', 'cancel', 'close', 'assertExchange', 'assertQueue', 'bindQueue'] as const
const never = new Promise<never>(() => undefined)

export type Method = (typeof METHODS)[number] | 'createChannel'

/** What a call answers instead; keyed by its name. `never` does not answer. */
export type Answers = Partial<Record<Method, 'never' | (() => Promise<unknown>)>>

type Deliver = (message: ConsumeMessage | null) => void

export class StandInChannel extends EventEmitter {
  /** In order: the method and what it was given, as far as that is data. */
  readonly calls: unknown[][] = []
  readonly acks: unknown[][] = []
  #deliver: Deliver | undefined

  constructor(answers: Answers) {
    super()
    for (const method of METHODS) {
      Reflect.set(this, method, (...given: unknown[]) => {
        this.calls.push([method, ...given.filter((each) => typeof each !== 'function')])
        const deliver = given.find((each) => typeof each === 'function')
        if (deliver) this.#deliver = deliver as Deliver
        return answerOf(answers[method])
      })
    }
  }

  /** Which methods were called, in order. */
  get called(): unknown[] {
    return this.calls.map(([method]) => method)
  }

  ack(message: ConsumeMessage, multiple?: boolean): void {
    this.acks.push(['ack', message.content.toString(), multiple])
  }

  nack(message: ConsumeMessage, _: boolean, requeue: boolean): void {
    this.acks.push(['nack', message.content.toString(), requeue])
  }

  /** Delivers as the broker does; null says that it cancelled us. */
  deliver(body: string | null): void {
    this.#deliver?.(body === null ? null : aMessage(body))
  }
}

export interface StandIn {
  readonly model: EventEmitter
  readonly connection: Connection
  /** Those that were opened, in order. */
  readonly channels: StandInChannel[]
  /** How often a channel was asked for. */
  opens(): number
  isCutOff(): boolean
  closes(): number
}

/** Makes a connection that has just come up. `answers` may be changed later. */
export function aConnection({ answers = {}, log = silentLog }: { answers?: Answers; log?: Log } = {}): StandIn {
  const channels: StandInChannel[] = []
  let opens = 0
  let closes = 0
  let cutOff = false
  const open = async (): Promise<Channel> => {
    opens += 1
    await answerOf(answers.createChannel)
    const channel = new StandInChannel(answers)
    channels.push(channel)
    return channel as unknown as Channel
  }
  const model = Object.assign(new EventEmitter(), {
    connection: { stream: { destroy: () => (cutOff = true) }, serverProperties: { version: '3.13.7' } },
    createChannel: open,
    createConfirmChannel: open,
    close: () => {
      closes += 1
      return answerOf(answers.close)
    },
  })
  const connection = new Connection(model as unknown as ChannelModel, 1, log)
  return { model, connection, channels, opens: () => opens, isCutOff: () => cutOff, closes: () => closes }
}

/** Makes a message as amqplib delivers it. */
export function aMessage(body: string, properties: Readonly<Record<string, unknown>> = {}): ConsumeMessage {
  const fields = { deliveryTag: 1, exchange: '', routingKey: 'key', redelivered: false, consumerTag: 'tag' }
  return { content: Buffer.from(body), fields, properties: { headers: {}, ...properties } } as ConsumeMessage
}

const answerOf = (answer: Answers[Method]): Promise<unknown> => (answer === 'never' ? never : (answer ?? AT_ONCE)())
