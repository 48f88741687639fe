// Promise: a link keeps one connection: it says why it is not ready, comes back by itself with a new session, ends a session whose
// broker falls silent, and ends what waits for an answer with the session.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLink, type Link } from '../../src/broker/link.ts'
import type { Session } from '../../src/broker/session.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { aVhost, managementOf, type Vhost } from '../support/broker.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { until } from '../support/until.ts'

let vhost: Vhost
let proxy: FaultProxy
let link: Link
let sessions: Session[]
let prepare: (session: Session) => Promise<void>

beforeEach(async () => {
  vhost = await aVhost()
  proxy = await startFaultProxy({ targetPort: Number(new URL(vhost.url).port) })
  sessions = []
  prepare = async () => undefined
  const url = new URL(proxy.url(vhost.url))
  // The shortest that AMQP has: a silent broker is noticed after two of them.
  url.searchParams.set('heartbeat', '1')
  link = createLink({
    url: url.href,
    name: 'test',
    log: silentLog,
    onSession: (session) => {
      sessions.push(session)
      return prepare(session)
    },
  })
})
afterEach(async () => {
  proxy.pass()
  await link.stop()
  await proxy.stop()
  await vhost.drop()
})

const untilState = (state: Link['state']) => until(`the link to be ${state}`, async () => link.state === state)

test('it is ready once its session is prepared, and stopped after a stop', async () => {
  const prepared = Promise.withResolvers<void>()
  prepare = () => prepared.promise

  await link.start()
  await until('a session', async () => sessions.length === 1)
  const before = link.state
  prepared.resolve()
  await untilState('ready')
  await link.stop()

  expect(before).toBe('connecting')
  expect(sessions[0]?.ended.aborted).toBe(true)
  expect(link.state).toBe('stopped')
})

test('without a broker it says why, and is there when the broker is', async () => {
  proxy.refuse()

  await link.start()
  await until('a reason', async () => link.trouble !== undefined)
  const away = link.state
  proxy.pass()
  await untilState('ready')

  expect(away).toBe('connecting')
  expect(link.trouble).toBeUndefined()
})

test('a cut connection ends its session, and the next is another one', async () => {
  await link.start()
  await untilState('ready')

  proxy.reset()
  await until('the next session', async () => sessions.length === 2)
  await untilState('ready')

  expect(sessions.map(({ generation, ended }) => [generation, ended.aborted])).toEqual([
    [1, true],
    [2, false],
  ])
})

test('a connection that the broker closes ends its session too', async () => {
  await link.start()
  await untilState('ready')

  await until('the broker to know the connection', async () => (await managementOf(vhost).closeConnections()) > 0)
  await until('the session to end', async () => sessions[0]?.ended.aborted === true)
  await untilState('ready')

  expect(sessions).toHaveLength(2)
}, 60_000)

test('a broker that falls silent is noticed by its heartbeat', async () => {
  await link.start()
  await untilState('ready')

  // Our heartbeats still arrive, so it is not the broker that ends the connection.
  proxy.blackhole('down')
  await until('the session to end', async () => sessions[0]?.ended.aborted === true, { withinMs: 25_000 })

  expect(link.trouble).toMatch(/heartbeat/i)
}, 30_000)

test('a session that cannot be prepared is given up, with the reason, and tried again', async () => {
  let tries = 0
  prepare = async () => {
    tries += 1
    if (tries === 1) throw new Error('no right to declare')
  }

  await link.start()
  await until('the reason', async () => link.trouble === 'no right to declare' || tries > 1)
  await untilState('ready')

  expect(tries).toBe(2)
  expect(sessions[0]?.ended.aborted).toBe(true)
})

test('a call that is not answered ends with its session', async () => {
  await link.start()
  await untilState('ready')
  const [session] = sessions
  proxy.blackhole('both')
  const channel = session?.openChannel()

  session?.fail('the test gives it up')

  await expect(channel).rejects.toThrow('the test gives it up')
})
