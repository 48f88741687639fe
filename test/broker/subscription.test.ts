// Promise: whatever takes a subscription away, in whatever order, it is made again over a channel of its own for as long as its
// session lives, and what the lost channel delivered is told to be gone.
import { expect, test } from 'vitest'
import { workQueue } from '../../src/broker/topology.ts'
import { exposition } from '../../src/runtime/instruments.ts'
import { PREFETCH, passed, QUEUE, subscribed, withClockStopped } from './a-subscription.ts'

withClockStopped()

const refused = async (): Promise<never> => {
  throw new Error('ACCESS_REFUSED')
}

/** What the gauge of unacknowledged deliveries says. */
async function unacked(): Promise<string | undefined> {
  const { body } = await exposition(undefined)
  return /^nightshift_\w*unacked\w*\{queue="mail"\} (\d+)$/m.exec(body)?.[1]
}

test('the prefetch is asked for each consumer, before anything is delivered', async () => {
  const { present } = await subscribed()

  expect(present().calls).toEqual([
    ['prefetch', PREFETCH, false],
    ['consume', workQueue(QUEUE)],
  ])
})

test('a channel that dies is told to its deliveries, and another one is opened', async () => {
  const { present, receiving, deliveries } = await subscribed()
  const [first] = receiving()
  first?.deliver('lost')

  first?.emit('close')
  const gone = deliveries[0]?.gone.aborted
  await passed(100)
  present().deliver('again')

  expect(gone).toBe(true)
  expect(receiving()).toHaveLength(2)
  expect(deliveries.map(({ body, gone }) => [body.toString(), gone.aborted])).toEqual([
    ['lost', true],
    ['again', false],
  ])
})

test('after the broker cancelled it, the silent channel is given up and what it delivered is gone', async () => {
  const { receiving, deliveries } = await subscribed()
  const [first] = receiving()
  first?.deliver('held')

  first?.deliver(null)
  await passed(100)
  deliveries[0]?.ack()

  expect(first?.called).toContain('close')
  expect(first?.acks).toEqual([])
  expect(receiving()).toHaveLength(2)
})

test('what is missing is declared before it subscribes again', async () => {
  const { receiving, present, channels } = await subscribed()

  receiving()[0]?.deliver(null)
  await passed(100)

  const declaring = channels.findIndex(({ calls }) =>
    calls.some(([method, name]) => method === 'assertQueue' && name === workQueue(QUEUE)),
  )
  expect(declaring).toBeGreaterThan(0)
  expect(declaring).toBeLessThan(channels.indexOf(present()))
})

test('while the broker refuses, it is asked after 0.1 s and then ever more seldom, up to 5 s', async () => {
  const { opens } = await subscribed({ createChannel: refused })
  const gaps: number[] = []
  // Each round asks twice: for a channel that declares, and at once for one that receives.
  for (let seen = opens(), waited = 0; gaps.length < 8; ) {
    await passed(100)
    waited += 100
    if (opens() === seen) continue
    gaps.push(waited)
    seen = opens()
    waited = 0
  }

  expect(gaps).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
})

test('after a subscription that held, the waits begin anew', async () => {
  const { present, receiving, answers } = await subscribed({ createChannel: refused })
  await passed(3_000)
  delete answers.createChannel
  await passed(5_000)
  const before = receiving().length

  present().emit('close')
  await passed(100)

  expect([before, receiving().length]).toEqual([1, 2])
})

test('a channel whose subscribing is refused is closed, and the session stays', async () => {
  const { receiving, session } = await subscribed({ consume: refused })

  await passed(100)

  expect(receiving()[0]?.called).toEqual(['prefetch', 'consume', 'close'])
  expect(receiving()).toHaveLength(2)
  expect(session.ended.aborted).toBe(false)
})

test.each(['prefetch', 'consume', 'createChannel'] as const)(
  'a %s without an answer gives the session up',
  async (method) => {
    const { session, opens } = await subscribed({ [method]: 'never' })
    const asked = opens()

    await passed(9_999)
    const before = session.ended.aborted
    await passed(20_000)

    expect([before, session.ended.aborted]).toEqual([false, true])
    expect(opens()).toBe(asked)
  },
)

test('with its session it ends, and opens nothing more', async () => {
  const { session, opens, deliveries, present } = await subscribed()
  present().deliver('held')

  session.fail('the broker went away')
  await passed(20_000)

  expect(opens()).toBe(1)
  expect(deliveries[0]?.gone.aborted).toBe(true)
})

test('the gauge says how many deliveries the broker waits for, and nothing of a channel that is gone', async () => {
  const { present, deliveries } = await subscribed()
  present().deliver('first')
  present().deliver('second')
  const two = await unacked()
  deliveries[0]?.reject()
  const one = await unacked()

  present().emit('close')
  const none = await unacked()

  expect([two, one, none]).toEqual(['2', '1', '0'])
})
