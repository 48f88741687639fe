// Promise: a subscription that is cancelled or closed stays ended, whatever was under way; no channel goes on delivering to nobody,
// and what was delivered can still be acknowledged after a cancel.
import { expect, test } from 'vitest'
import { passed, subscribed, withClockStopped } from './a-subscription.ts'

withClockStopped()

test.each(['cancel', 'close'] as const)(
  '%s while its channel is being opened leaves no channel that delivers',
  async (end) => {
    const opened = Promise.withResolvers<void>()
    const { subscription, receiving, opens } = await subscribed({ createChannel: () => opened.promise })

    await subscription[end]()
    opened.resolve()
    await passed(20_000)

    expect(opens()).toBe(1)
    for (const channel of receiving()) expect(channel.called.at(-1)).toBe('close')
  },
)

test.each(['cancel', 'close'] as const)(
  '%s while the broker is asked to deliver leaves no channel that delivers',
  async (end) => {
    const asked = Promise.withResolvers<unknown>()
    const { subscription, present, opens, deliveries } = await subscribed({ consume: () => asked.promise })
    present().deliver('early')

    await subscription[end]()
    asked.resolve({ consumerTag: 'tag' })
    await passed(20_000)

    expect(opens()).toBe(1)
    expect(present().called.at(-1)).toBe('close')
    expect(deliveries[0]?.gone.aborted).toBe(true)
  },
)

test('cancel between two channels opens none, and does not wait', async () => {
  const { subscription, present, receiving } = await subscribed()

  present().emit('close')
  await passed(0)
  await subscription.cancel()
  await passed(20_000)

  expect(receiving()).toHaveLength(1)
})

test('after a cancel what was delivered is still acknowledged over its channel', async () => {
  const { subscription, present, deliveries } = await subscribed()
  present().deliver('held')

  await subscription.cancel()
  await passed(20_000)
  deliveries[0]?.reject()

  expect(present().calls.at(-1)).toEqual(['cancel', 'tag'])
  expect(present().acks).toEqual([['nack', 'held', false]])
})

test.each(['cancel', 'close'] as const)(
  '%s waits 3 s for a broker that does not answer, and no longer',
  async (end) => {
    const { subscription } = await subscribed({ [end]: 'never' })
    let isOver = false
    void subscription[end]().then(() => (isOver = true))

    await passed(2_999)
    const before = isOver
    await passed(1)

    expect([before, isOver]).toEqual([false, true])
  },
)

test.each(['cancel', 'close'] as const)('%s asks nothing of a broker that is gone', async (end) => {
  const { subscription, session, present } = await subscribed({ [end]: 'never' })
  session.fail('the broker went away')
  await passed(0)
  const before = present().calls.length

  await subscription[end]()

  expect(present().calls).toHaveLength(before)
})

test('close sends what is acknowledged before it closes', async () => {
  const { subscription, present, deliveries } = await subscribed()
  present().deliver('done')
  deliveries[0]?.ack()
  const closing = subscription.close()
  const sent = [...present().acks]

  await closing

  expect(sent).toEqual([['ack', 'done', false]])
  expect(present().called.at(-1)).toBe('close')
})
