// Promise: a link says what is the matter the moment it is known, and tells the broker who it is, in letters of any script.
import { expect, test } from 'vitest'
import { createManagement } from '../../scripts/servers/management.ts'
import { createManagement as managementClient } from '../../src/broker/management.ts'
import { blockedFrame } from '../support/raw-amqp.ts'
import { until } from '../support/until.ts'
import { aLinkForEachTest } from './a-link.ts'

const under = aLinkForEachTest()
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('one whose broker blocks publishers says so with the reason, until it takes messages again', async () => {
  await under.link.start()
  await under.untilState('ready')

  under.proxy.say(blockedFrame('low on memory'))
  await under.untilState('blocked')
  const trouble = under.link.trouble
  under.proxy.say(blockedFrame())
  await under.untilState('ready')

  expect(trouble).toBe('publishers are blocked: low on memory')
  expect(under.link.trouble).toBeUndefined()
})

test('what is blocked while it is prepared is not ready by that, nor by being let again', async () => {
  const first = Promise.withResolvers<void>()
  under.prepare = () => first.promise
  await under.link.start()
  await until('a session', async () => under.sessions.length === 1)

  under.proxy.say(blockedFrame('low on disk'))
  await under.untilState('blocked')
  under.proxy.say(blockedFrame())
  await until('the end of the block', async () => under.link.state !== 'blocked')
  const unblocked = under.link.state
  under.proxy.say(blockedFrame('low on disk'))
  await under.untilState('blocked')
  first.resolve()
  await turn()

  expect([unblocked, under.link.state]).toEqual(['connecting', 'blocked'])
})

test('the end of a session is told at once, while closing takes its time', async () => {
  await under.link.start()
  await under.untilState('ready')
  under.proxy.blackhole('both')

  under.sessions[0]?.fail('the test gives it up')
  const trouble = under.link.trouble
  await turn()

  expect(trouble).toBe('the test gives it up')
  expect(under.link.state).toBe('connecting')
})

test('it tells the broker its name, and a heartbeat of 10 s unless the URL has one', async () => {
  const said: Buffer[] = []
  under.proxy.holdRequest((bytes) => {
    said.push(bytes)
    return false
  })
  await under.link.start()
  await under.untilState('ready')
  const own = heartbeatAskedIn(said)
  await under.link.stop()
  said.length = 0

  under.linkTo(under.proxy.url(under.vhost.url))
  await under.link.start()
  await under.untilState('ready')

  expect([own, heartbeatAskedIn(said)]).toEqual([1, 10])
  expect(Buffer.concat(said).toString('latin1')).toMatch(/connection_nameS\0\0\0\x04test/)
})

/** Reads it, in seconds, from the answer to the broker's offer: channels, size of frames, heartbeat. */
function heartbeatAskedIn(said: readonly Buffer[]): number | undefined {
  const bytes = Buffer.concat(said)
  const method = bytes.indexOf(Buffer.from([0, 10, 0, 31]))
  return method < 0 ? undefined : bytes.readUInt16BE(method + 10)
}

test.each([
  ['zoë', 'päß 日本'],
  ['a@b%41/+', ':/?#%41+% €'],
])('user %s is known by the broker, with a password of any letters', async (user, password) => {
  const management = createManagement(under.vhost.managementUrl)
  const path = encodeURIComponent(user)
  const everything = { configure: '.*', write: '.*', read: '.*' }
  await management.call('PUT', `users/${path}`, { password, tags: 'management' })
  await management.call('PUT', `permissions/${under.vhost.name}/${path}`, everything)
  const url = new URL(under.proxy.url(under.vhost.url))
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  under.linkTo(url.href)

  await under.link.start()
  await until('an answer', async () => under.link.state === 'ready' || under.link.trouble !== undefined)
  const { state, trouble } = under.link
  // The same credentials serve the doctor.
  const queues = await managementClient(under.vhost.managementUrl.replace(/\/\/.*@/, '//'), url.href).queues()
  await management.call('DELETE', `users/${path}`)

  expect([state, trouble, queues]).toEqual(['ready', undefined, []])
})
