// Raw amqplib on a quorum queue: persistent messages, publisher confirms, prefetch 1000, each delivery acked.
// The floor of anything built on RabbitMQ: it keeps no state, so nobody can ask what became of a task.
import amqp from 'amqplib'
import type { Peer, Producer } from './peer.ts'

const QUEUE = 'tasks'
const PREFETCH = 1_000

const peer: Peer = {
  async prepare({ amqpUrl }) {
    const connection = await amqp.connect(amqpUrl)
    const channel = await connection.createChannel()
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    await connection.close()
  },
  async produce({ amqpUrl }): Promise<Producer> {
    const connection = await amqp.connect(amqpUrl)
    const channel = await connection.createConfirmChannel()
    const add = (payload: object): Promise<void> =>
      new Promise((resolve, reject) => {
        const content = Buffer.from(JSON.stringify(payload))
        channel.sendToQueue(QUEUE, content, { persistent: true }, (error: unknown) =>
          error ? reject(error) : resolve(),
        )
      })
    return {
      add,
      addMany: async (payloads) => void (await Promise.all(payloads.map(add))),
      close: () => connection.close(),
    }
  },
  async work({ amqpUrl }, handle) {
    const connection = await amqp.connect(amqpUrl)
    const channel = await connection.createChannel()
    await channel.prefetch(PREFETCH)
    await channel.consume(QUEUE, (message) => {
      if (message === null) return
      handle(JSON.parse(message.content.toString()))
      channel.ack(message)
    })
    return { stop: () => connection.close() }
  },
}

export default peer
