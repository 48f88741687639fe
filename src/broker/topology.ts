/**
 * Everything that exists on the broker, as data. Only arguments that RabbitMQ 3.10 to 4.3 all accept; the version is in
 * the queue's name, because arguments of an existing queue cannot change: a new shape is a new name beside the old one.
 */
import type { Log } from '../runtime/log.ts'
import type { Session } from './session.ts'

const TASK_EXCHANGE = 'nightshift.task'
const RETRY_EXCHANGE = 'nightshift.retry'
export const DEAD_LETTER_QUEUE = 'nightshift.dlq.v1'

/** The last fuse against a message that ends every consumer it meets; far above what our own rules allow. */
const DELIVERY_LIMIT = 50

export interface QueueDeclaration {
  readonly name: string
  readonly arguments: Readonly<Record<string, string | number>>
  readonly bindings: readonly { readonly exchange: string; readonly key: string }[]
}

export interface Topology {
  readonly exchanges: readonly { readonly name: string; readonly type: 'topic' }[]
  readonly queues: readonly QueueDeclaration[]
}

/** Names the work queue of a queue: `mail` -> `nightshift.task.mail.v1`. */
export function workQueue(queue: string): string {
  return `nightshift.task.${queue}.v1`
}

/** Writes milliseconds as seconds when they are whole seconds, else as milliseconds: `60s`, `1500ms`. */
export function durationLabel(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`
}

/** Names the queue of a rung: 60000 -> `nightshift.retry.60s.v1`. */
export function retryQueue(rungMs: number): string {
  return `nightshift.retry.${durationLabel(rungMs)}.v1`
}

/** Names the exchange and key by which a message reaches its work queue now, or after waiting on a rung. */
export function routeOf(queue: string, rungMs: number): { exchange: string; key: string } {
  if (rungMs === 0) return { exchange: TASK_EXCHANGE, key: `now.${queue}` }
  return { exchange: RETRY_EXCHANGE, key: `${durationLabel(rungMs)}.${queue}` }
}

/**
 * Lists what must exist for these queues and rungs.
 *
 * Dead-lettering is at-least-once only together with reject-publish; without it, it is silently at-most-once.
 * https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
 * A rung has one TTL for the whole queue, because a message expires only at the head of its queue. A work queue has
 * none: a message that returns to a queue by expiry alone is dropped as a cycle. https://www.rabbitmq.com/docs/dlx
 */
export function topologyOf(queues: Iterable<string>, rungsMs: Iterable<number>): Topology {
  const safeDeadLettering = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }
  const work = [...new Set(queues)].map((queue) => ({
    name: workQueue(queue),
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': DELIVERY_LIMIT,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': DEAD_LETTER_QUEUE,
      ...safeDeadLettering,
    },
    bindings: [{ exchange: TASK_EXCHANGE, key: `*.${queue}` }],
  }))
  const rungs = [...new Set(rungsMs)].map((ms) => ({
    name: retryQueue(ms),
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': DELIVERY_LIMIT,
      'x-message-ttl': ms,
      'x-dead-letter-exchange': TASK_EXCHANGE,
      ...safeDeadLettering,
    },
    bindings: [{ exchange: RETRY_EXCHANGE, key: `${durationLabel(ms)}.#` }],
  }))
  // Looking at dead letters with "requeue" counts as a delivery too; -1 keeps a limit of 4.x from dropping them.
  const dead = {
    name: DEAD_LETTER_QUEUE,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': -1 },
    bindings: [],
  }
  return {
    exchanges: [
      { name: TASK_EXCHANGE, type: 'topic' },
      { name: RETRY_EXCHANGE, type: 'topic' },
    ],
    queues: [dead, ...rungs, ...work],
  }
}

/**
 * Makes sure that everything exists; repeating it does nothing. What exists with other arguments is left as it is and
 * reported, and the rest is declared all the same, so that one queue's trouble does not stop the others.
 *
 * @returns one sentence per exchange or queue that could not be declared
 */
export async function declareTopology(session: Session, topology: Topology, log: Log): Promise<string[]> {
  const problems: string[] = []
  const attempt = async (
    what: string,
    declare: (channel: Awaited<ReturnType<Session['openChannel']>>) => Promise<void>,
  ): Promise<void> => {
    // A refused declaration closes its channel, so each has its own.
    const channel = await session.openChannel()
    try {
      await declare(channel)
    } catch (error) {
      if (session.ended.aborted) throw error
      const problem = `${what} could not be declared: ${(error as Error).message}`
      log.error({ problem }, 'broker topology differs: delete or rename what exists, or run the version that made it')
      problems.push(problem)
      return
    }
    await channel.close().catch(() => undefined)
  }
  await attempt('the exchanges', async (channel) => {
    for (const { name, type } of topology.exchanges) await channel.assertExchange(name, type, { durable: true })
  })
  for (const queue of topology.queues) {
    await attempt(`queue ${queue.name}`, async (channel) => {
      await channel.assertQueue(queue.name, { durable: true, arguments: { ...queue.arguments } })
      for (const { exchange, key } of queue.bindings) await channel.bindQueue(queue.name, exchange, key)
    })
  }
  return problems
}
