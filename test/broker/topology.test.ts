// Promise: every queue has the arguments without which RabbitMQ loses messages in silence, and none that a version refuses.
import { expect, test } from 'vitest'
import { DEAD_LETTER_QUEUE, routeOf, topologyOf, workQueue } from '../../src/broker/topology.ts'

const { queues, exchanges } = topologyOf(['conversations', 'documents'], [60_000, 1_500])
const named = (name: string) => queues.find((queue) => queue.name === name)

test('queues and exchanges have the agreed names', () => {
  expect(exchanges.map(({ name }) => name)).toEqual(['nightshift.task', 'nightshift.retry'])
  expect(queues.map(({ name }) => name).sort()).toEqual([
    'nightshift.dlq.v1',
    'nightshift.retry.1500ms.v1',
    'nightshift.retry.60s.v1',
    'nightshift.task.conversations.v1',
    'nightshift.task.documents.v1',
  ])
})

test('every queue is quorum and names its delivery limit', () => {
  for (const queue of queues) {
    expect(queue.arguments).toMatchObject({ 'x-queue-type': 'quorum', 'x-delivery-limit': expect.any(Number) })
  }
})

test('whatever is dead-lettered is so at least once, which needs reject-publish', () => {
  for (const queue of queues.filter(({ name }) => name !== DEAD_LETTER_QUEUE)) {
    expect(queue.arguments).toMatchObject({ 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' })
  }
})

test('only rungs have a time to live, and nothing has an argument that some version refuses', () => {
  const refused = ['x-max-priority', 'x-queue-mode', 'x-queue-version', 'x-max-length', 'x-expires']
  for (const queue of queues) {
    expect('x-message-ttl' in queue.arguments).toBe(queue.name.startsWith('nightshift.retry.'))
    expect(Object.keys(queue.arguments).filter((name) => refused.includes(name))).toEqual([])
  }
})

test('a rung gives its messages back with the key that their work queue is bound to', () => {
  expect(routeOf('conversations', 60_000)).toEqual({ exchange: 'nightshift.retry', key: '60s.conversations' })
  expect(named('nightshift.retry.60s.v1')?.bindings).toEqual([{ exchange: 'nightshift.retry', key: '60s.#' }])
  expect(named('nightshift.retry.60s.v1')?.arguments['x-dead-letter-routing-key']).toBeUndefined()
  expect(named(workQueue('conversations'))?.bindings).toEqual([{ exchange: 'nightshift.task', key: '*.conversations' }])
})
