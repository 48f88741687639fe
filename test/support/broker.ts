// Gives a test a virtual host of its own on the shared RabbitMQ, and looks into it from outside, as an operator would.

import { randomBytes } from 'node:crypto'
import { connect } from 'amqplib'
import { createManagement, type Management } from '../../scripts/servers/management.ts'
import { shared } from './servers.ts'

export interface Vhost {
  readonly url: string
  readonly name: string
  readonly managementUrl: string
  /** Removes it with its queues, closing the connections to it. */
  drop(): Promise<void>
}

/** Properties of a message as the management API spells them: `message_id`, `delivery_mode`, `headers` ... */
export type MessageProperties = Readonly<Record<string, unknown>>

export interface VhostManagement {
  queueNames(): Promise<string[]>
  /** Publishes to a queue by the default exchange, without amqplib. Rejects when there is no such queue. */
  publishRaw(queue: string, body: Buffer | string, properties?: MessageProperties): Promise<void>
  /** Drops the ready messages; those held by a consumer stay. */
  purge(queue: string): Promise<void>
  deleteQueue(queue: string): Promise<void>
  /** Counts the messages that no consumer holds; exact, not from the management API's old statistics. */
  readyCount(queue: string): Promise<number>
  /** Closes every connection of this vhost, as `close_all_connections` does. Returns how many. */
  closeConnections(): Promise<number>
}

/** Creates an empty virtual host on the shared RabbitMQ. */
export async function aVhost(): Promise<Vhost> {
  const managementUrl = shared().managementUrl
  const management = createManagement(managementUrl)
  const name = `test-${randomBytes(6).toString('hex')}`
  await management.addVhost(name)
  return { url: `${shared().amqpUrl}/${name}`, name, managementUrl, drop: () => management.dropVhost(name) }
}

/** Opens the operator's view of a virtual host; `url` is that of its AMQP connections. */
export function managementOf({ url, name, managementUrl }: Omit<Vhost, 'drop'>): VhostManagement {
  const management = createManagement(managementUrl)
  const vhost = encodeURIComponent(name)
  const pathOf = (queue: string) => `queues/${vhost}/${encodeURIComponent(queue)}`

  return {
    async queueNames() {
      const queues = (await management.call('GET', `queues/${vhost}?columns=name`)) as { name: string }[]
      return queues.map((queue) => queue.name).sort()
    },
    async publishRaw(queue, body, properties = {}) {
      const message = {
        routing_key: queue,
        payload: Buffer.from(body).toString('base64'),
        payload_encoding: 'base64',
        properties,
      }
      const answer = await management.call('POST', `exchanges/${vhost}/amq.default/publish`, message)
      if (!(answer as { routed: boolean }).routed) throw new Error(`no queue ${queue} in vhost ${name}`)
    },
    async purge(queue) {
      await management.call('DELETE', `${pathOf(queue)}/contents`)
    },
    async deleteQueue(queue) {
      await management.call('DELETE', pathOf(queue))
    },
    readyCount: (queue) => readyCount(url, queue),
    closeConnections: () => closeConnections(management, name),
  }
}

async function readyCount(url: string, queue: string): Promise<number> {
  const connection = await connect(url)
  connection.on('error', () => {})
  try {
    const channel = await connection.createChannel()
    channel.on('error', () => {})
    const { messageCount } = await channel.checkQueue(queue)
    return messageCount
  } finally {
    await connection.close().catch(() => {})
  }
}

async function closeConnections(management: Management, vhost: string): Promise<number> {
  const path = `vhosts/${encodeURIComponent(vhost)}/connections?columns=name`
  const connections = (await management.call('GET', path)) as { name: string }[]
  const names = connections.map((connection) => encodeURIComponent(connection.name))
  await Promise.all(names.map((each) => management.call('DELETE', `connections/${each}`)))
  return names.length
}
