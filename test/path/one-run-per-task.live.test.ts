// Promise: a task runs once, however many copies of its message there are, and wherever they are delivered.
import { connect } from 'amqplib'
import { expect, test } from 'vitest'
import { workQueue } from '../../src/broker/topology.ts'
import { encodeWakeUp } from '../../src/core/message.ts'
import { aConversation, holdUser, totalsOf } from '../support/conversations.ts'
import { effectsOn } from '../support/effects.ts'
import { metric, submit, submitAll, withNightshift } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

const nightshift = withNightshift()

/** Puts wake-ups for first attempts straight into a work queue, all at once. */
async function publishCopies(queue: string, ids: readonly string[]): Promise<void> {
  const connection = await connect(nightshift.amqpUrl)
  const channel = await connection.createConfirmChannel()
  for (const id of ids) {
    channel.sendToQueue(workQueue(queue), encodeWakeUp({ id, attempt: 1, alone: false }), { persistent: true })
  }
  await channel.waitForConfirms()
  await connection.close()
}

async function dropped(consumers: readonly RunningProcess[]): Promise<number> {
  const counts = consumers.map(async ({ ready }) => {
    const { metricsPort } = await ready
    return metric(`http://127.0.0.1:${metricsPort}/metrics`, 'nightshift_duplicates_dropped_total')
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** Which task each handler run was for, over all consumers; waits for at least so many. */
async function runs(consumers: readonly RunningProcess[], atLeast: number): Promise<unknown[]> {
  const ended = () => consumers.flatMap(({ log }) => log.filter(({ msg }) => msg.startsWith('attempt')))
  await until('the runs to be logged', () => ended().length >= atLeast)
  return ended().map(({ task_id }) => task_id)
}

const attempts = () => nightshift.sql('select task_id, attempt, outcome from attempt_history order by task_id, attempt')

const BATCHES = [
  { copies: 2, consumers: 1, slots: 2 },
  { copies: 20, consumers: 1, slots: 20 },
  { copies: 20, consumers: 2, slots: 10 },
]

test.each(BATCHES)('$copies copies, slots of $consumers consumer(s) for all of them: one run', async (given) => {
  const api = await nightshift.startApi()
  const id = await submit(api, { name: 'conversation.ended', payload: aConversation(1) })
  await until('the first copy to be published', async () => (await nightshift.sql('select from outbox')).length === 0)
  await publishCopies('conversations', Array(given.copies - 1).fill(id))
  const user = await holdUser(nightshift.databaseUrl)

  const start = () => nightshift.startConsumer({ NIGHTSHIFT_QUEUES: `conversations:${given.slots}` })
  const consumers = await Promise.all(Array.from({ length: given.consumers }, start))
  const ofOthers = given.copies - given.slots
  await until('the other consumers to drop their copies', async () => (await dropped(consumers)) >= ofOthers)
  await user.release()
  await until('all other copies to be dropped', async () => (await dropped(consumers)) === given.copies - 1)
  await nightshift.untilAllFinished()

  expect(await attempts()).toEqual([{ task_id: id, attempt: 1, outcome: 'success' }])
  expect(await runs(consumers, 1)).toEqual([id])
  expect(await effectsOn(nightshift)).toEqual(totalsOf([aConversation(1)]))
})

test('copies that two consumers get at the same moment: one run of each task', async () => {
  const api = await nightshift.startApi()
  const start = () => nightshift.startConsumer({ NIGHTSHIFT_QUEUES: 'trial:20' })
  const consumers = await Promise.all([start(), start()])
  // Nothing else wakes them: their own message is not due.
  const tasks = Array.from({ length: 50 }, (_, n) => ({ name: 'trial.echo', payload: n, delay: '1h' }))
  const ids = await submitAll(api, tasks)

  await publishCopies(
    'trial',
    ids.flatMap((id) => Array(4).fill(id)),
  )
  await nightshift.untilAllFinished()
  await until('all other copies to be dropped', async () => (await dropped(consumers)) === ids.length * 3)

  const expected = ids.toSorted().map((id) => ({ task_id: id, attempt: 1, outcome: 'success' }))
  expect(await attempts()).toEqual(expected)
  expect((await runs(consumers, ids.length)).toSorted()).toEqual(ids.toSorted())
})
