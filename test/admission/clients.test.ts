// Promise: what a client was used to stays its own when somebody else floods, also where clients are spread unevenly over
// the api processes, and never adds up to more than is worked off.
import { expect, test } from 'vitest'
import { type Clients, createClients, type Supply } from '../../src/admission/clients.ts'

/** Lets clients in at a pace while the queue is below its low mark. Returns the moment when that ended, in milliseconds. */
function uncongested(clients: Clients, paces: Readonly<Record<string, number>>, supply: Supply, seconds = 20): number {
  const all = Object.entries(paces).map(([name, perSecond]) => ({ client: clients.of(name), every: 1_000 / perSecond }))
  for (let at = 0; at < seconds * 1_000; at++) {
    for (const { client, every } of all) {
      if (at % every >= 1) continue
      client.demand.note(at)
      client.bucket.refill(at, 1)
      clients.countBaseline(client, supply, at)
    }
  }
  return seconds * 1_000
}

/** A flood that fills the queue within a third of a second, all of it let in while the queue is still below it. */
function flood(clients: Clients, supply: Supply, since: number): number {
  const flooder = clients.of('flooder')
  for (let request = 0; request < 300; request++) {
    flooder.demand.note(since + request)
    flooder.bucket.refill(since + request, 1)
    clients.countBaseline(flooder, supply, since + request)
  }
  return since + 300
}

// Five clients send 3 a second each, spread over three processes, and all of it is worked off.
const SUPPLY = { drain: 15, replicas: 3 }

test.each([
  ['two clients', { a: 3, d: 3 }],
  ['one client', { c: 3 }],
  ['all five', { a: 3, b: 3, c: 3, d: 3, e: 3 }],
])('a process with %s gives each what it is used to', (_, paces) => {
  const clients = createClients()
  const at = flood(clients, SUPPLY, uncongested(clients, paces, SUPPLY))

  for (const name of Object.keys(paces)) expect(clients.rateOf(clients.of(name), SUPPLY, at)).toBeGreaterThan(2.8)
})

test('when less is worked off than before, what is usual shrinks with it', () => {
  const clients = createClients()
  const at = flood(clients, SUPPLY, uncongested(clients, { a: 3, d: 3 }, SUPPLY))
  const supply = { ...SUPPLY, drain: 3 }

  const rates = ['a', 'd'].map((name) => clients.rateOf(clients.of(name), supply, at))

  // Two fifths of all that is worked off came in here.
  for (const rate of rates) expect(rate).toBeCloseTo(0.6, 1)
})

test('a flood does not become usual while it fills the queue', () => {
  const clients = createClients()
  const at = flood(clients, SUPPLY, uncongested(clients, { a: 3, d: 3 }, SUPPLY))

  expect(clients.rateOf(clients.of('flooder'), SUPPLY, at)).toBeLessThan(2.5)
})

test('who is used to much has no claim on more than the others when not all can be worked off', () => {
  const clients = createClients()
  const supply = { drain: 100, replicas: 1 }
  const at = uncongested(clients, { small: 10, big: 100 }, supply)
  const less = { drain: 50, replicas: 1 }

  expect(clients.rateOf(clients.of('small'), less, at)).toBeGreaterThan(9)
  expect(clients.rateOf(clients.of('big'), less, at)).toBeCloseTo(40, 0)
})
