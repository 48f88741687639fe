// Promise: a link keeps one connection: it says why it is not ready, comes back by itself with a new session, ends a session whose
// broker falls silent, and ends what waits for an answer with the session.
import { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { managementOf } from '../support/broker.ts'
import { until } from '../support/until.ts'
import { aLinkForEachTest } from './a-link.ts'

const under = aLinkForEachTest()

test('it is ready once its session is prepared, and stopped after a stop', async () => {
  const prepared = Promise.withResolvers<void>()
  under.prepare = () => prepared.promise

  await under.link.start()
  await until('a session', async () => under.sessions.length === 1)
  const before = under.link.state
  prepared.resolve()
  await under.untilState('ready')
  await under.link.stop()

  expect(before).toBe('connecting')
  expect(under.sessions[0]?.ended.aborted).toBe(true)
  expect(under.link.state).toBe('stopped')
})

test('without a broker it says why, and is there when the broker is', async () => {
  under.proxy.refuse()

  await under.link.start()
  await until('a reason', async () => under.link.trouble !== undefined)
  const away = under.link.state
  under.proxy.pass()
  await under.untilState('ready')

  expect(away).toBe('connecting')
  expect(under.link.trouble).toBeUndefined()
})

test('a cut connection ends its session, and the next is another one', async () => {
  await under.link.start()
  await under.untilState('ready')

  under.proxy.reset()
  await until('the next session', async () => under.sessions.length === 2)
  await under.untilState('ready')

  expect(under.sessions.map(({ generation, ended }) => [generation, ended.aborted])).toEqual([
    [1, true],
    [2, false],
  ])
})

test('a connection that the broker closes ends its session too', async () => {
  await under.link.start()
  await under.untilState('ready')

  await until('the broker to know the connection', async () => (await managementOf(under.vhost).closeConnections()) > 0)
  await until('the session to end', async () => under.sessions[0]?.ended.aborted === true)
  await under.untilState('ready')

  expect(under.sessions).toHaveLength(2)
}, 60_000)

test('a broker that falls silent is noticed by its heartbeat', async () => {
  await under.link.start()
  await under.untilState('ready')

  // Our heartbeats still arrive, so it is not the broker that ends the connection.
  under.proxy.blackhole('down')
  await until('the session to end', async () => under.sessions[0]?.ended.aborted === true, { withinMs: 25_000 })

  expect(under.link.trouble).toMatch(/heartbeat/i)
}, 30_000)

test('a session that cannot be prepared is given up, with the reason, and tried again', async () => {
  let tries = 0
  under.prepare = async () => {
    tries += 1
    if (tries === 1) throw new Error('no right to declare')
  }

  await under.link.start()
  await until('the reason', async () => under.link.trouble === 'no right to declare' || tries > 1)
  await under.untilState('ready')

  expect(tries).toBe(2)
  expect(under.sessions[0]?.ended.aborted).toBe(true)
})

test('a session that ends while it is prepared is not waited for', async () => {
  under.prepare = () => (under.sessions.length === 1 ? new Promise(() => undefined) : Promise.resolve())
  await under.link.start()
  await until('a session', async () => under.sessions.length === 1)

  under.proxy.reset()
  await under.untilState('ready')

  expect(under.sessions).toHaveLength(2)
})

test('a stop does not wait for a session that is prepared, nor for the next try', async () => {
  under.prepare = () => new Promise(() => undefined)
  await under.link.start()
  await until('a session', async () => under.sessions.length === 1)
  await under.link.stop()
  const preparing = under.link.state

  under.proxy.refuse()
  await under.link.start()
  // The longest wait follows, 3 s.
  await until('five tries', async () => under.waits.length === 5)
  await under.link.stop()

  expect([preparing, under.link.state]).toEqual(['stopped', 'stopped'])
  expect(under.waits).toHaveLength(5)
})

test('a connection that comes up after a stop is not used', async () => {
  const opening = under.proxy.holdRequest((bytes) => bytes.includes(under.vhost.name))
  await under.link.start()
  await opening.reached

  const stopped = under.link.stop()
  opening.release()
  await stopped

  expect(under.sessions).toEqual([])
})

test('started twice it keeps one connection, and after a stop it can be started again', async () => {
  await under.link.start()
  await under.link.start()
  await under.untilState('ready')
  await under.link.stop()
  await under.link.start()
  await under.untilState('ready')

  expect(under.sessions.map(({ generation }) => generation)).toEqual([1, 2])
})

test('a peer that accepts and never speaks is given up', async () => {
  // What is asked for as 10 s takes half a second here.
  const setTimeout = Socket.prototype.setTimeout
  vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (this: Socket, ms, late) {
    return setTimeout.call(this, ms / 20, late)
  })
  under.proxy.blackhole('both')

  await under.link.start()
  await until('the reason', async () => under.link.trouble?.includes('ETIMEDOUT'))
  // A connection during which bytes were swallowed is of no use any more.
  under.proxy.pass()
  await under.untilState('ready')
})

test('the waits before a new try double, and begin anew after a session that lived long', async () => {
  under.proxy.refuse()
  await under.link.start()
  await until('three tries', async () => under.waits.length === 3)
  under.proxy.pass()
  await under.untilState('ready')
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 20_000)

  under.proxy.reset()
  await until('the next session', async () => under.sessions.length === 2)

  expect(under.waits).toEqual([300, 500, 900, 300])
})

test('sessions that soon end count as one try after another', async () => {
  await under.link.start()
  for (const count of [1, 2, 3]) {
    await until(`session ${count}`, async () => under.sessions.length === count && under.link.state === 'ready')
    under.sessions.at(-1)?.fail('the test gives it up')
  }
  await until('session 4', async () => under.sessions.length === 4)

  expect(under.waits).toEqual([300, 500, 900])
})

test('a call that is not answered ends with its session', async () => {
  await under.link.start()
  await under.untilState('ready')
  const [session] = under.sessions
  under.proxy.blackhole('both')
  const channel = session?.openChannel()

  session?.fail('the test gives it up')

  await expect(channel).rejects.toThrow('the test gives it up')
})
