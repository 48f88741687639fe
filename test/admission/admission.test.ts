// Promise: the flood stops at the door. Who stays in his share comes in, who floods first is refused, and a queue never
// grows much beyond its mark. Tried on a simulated queue, second by second.
import { expect, test } from 'vitest'
import { createAdmission } from '../../src/admission/admission.ts'
import { createDrain } from '../../src/admission/drain.ts'
import type { QueueFigures } from '../../src/admission/monitor.ts'

const LIMITS = { depthLow: 800, depthHigh: 1_000, outboxHigh: 50_000, tricklePerSecond: 1 }

interface Traffic {
  readonly client: string
  /** Tasks per second it sends, at a second of the simulation. */
  readonly perSecond: (second: number) => number
}

interface Tally {
  sent: number
  accepted: number
  readonly retryAfter: number[]
}

/** Runs clients against a queue that works off `drain` tasks per second; figures are a second old, as in life. */
function simulate(
  clients: readonly Traffic[],
  { seconds, drain }: { seconds: number; drain: (second: number) => number },
) {
  const tallies = new Map<string, Tally>(
    clients.map(({ client }) => [client, { sent: 0, accepted: 0, retryAfter: [] }]),
  )
  let now = 0
  let seed = 1
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  let backlog = 0
  let most = 0
  let since = 0
  let begun = 0
  let report = { bornAt: 0, writtenAt: 0, begun }
  const measured = createDrain()
  let figures: QueueFigures = { backlog: 0, basis: 'depth', drain: 0, slots: 10 }
  const admission = createAdmission({
    monitor: {
      figuresOf: () => ({ ...figures, backlog: (figures.backlog ?? 0) + since }),
      replicas: 1,
      count: () => {
        since += 1
      },
    },
    limits: LIMITS,
    now: () => now,
    random,
  })
  for (let second = 0; second < seconds; second++) {
    for (let step = 0; step < 100; step++) {
      for (const { client, perSecond } of clients) {
        const tally = tallies.get(client) as Tally
        const wanted = perSecond(second) / 100
        const requests = Math.floor(wanted) + (random() < wanted % 1 ? 1 : 0)
        for (let request = 0; request < requests; request++) {
          tally.sent += 1
          const answer = admission.admit('queue', client)
          if (answer.isAdmitted) {
            tally.accepted += 1
            backlog += 1
          } else tally.retryAfter.push(answer.retryAfterSeconds)
        }
      }
      const work = Math.min(backlog, drain(second) / 100)
      backlog -= work
      begun += work
      most = Math.max(most, backlog)
      now += 10
    }
    // A consumer writes every three seconds, with its lease.
    if (second % 3 === 2) report = { bornAt: 0, writtenAt: now, begun }
    measured.read(now, new Map([['life', report]]))
    figures = { backlog: Math.round(backlog), basis: 'depth', drain: measured.perSecond, slots: 10 }
    since = 0
  }
  return { of: (client: string) => tallies.get(client) as Tally, most, backlog }
}

const five = ['a', 'b', 'c', 'd', 'e'].map((client) => ({ client, perSecond: () => 10 }))
const flooder = { client: 'flooder', perSecond: (second: number) => (second < 20 || second >= 80 ? 0 : 2_000) }

test('one client floods at twenty times the drain: the five who behave keep coming in, and the backlog stays at its mark', () => {
  const { of, most } = simulate([...five, flooder], { seconds: 80, drain: () => 100 })

  for (const { client } of five) expect(of(client).accepted / of(client).sent).toBeGreaterThanOrEqual(0.99)
  expect(of('flooder').accepted / of('flooder').sent).toBeLessThan(0.1)
  expect(most).toBeLessThanOrEqual(LIMITS.depthHigh * 1.1)
})

test('the flooder still gets what is left over', () => {
  const { of } = simulate([...five, flooder], { seconds: 80, drain: () => 100 })

  expect(of('flooder').accepted / 60).toBeGreaterThan(30)
})

test('when the flood ends everything is drained, and everybody comes in again', () => {
  const { of, backlog } = simulate([...five, flooder], { seconds: 120, drain: () => 100 })

  expect(backlog).toBeLessThan(20)
  expect(of('a').accepted / of('a').sent).toBeGreaterThanOrEqual(0.99)
})

test('nobody is refused while the queue is below its low mark, however uneven the traffic', () => {
  const burst = { client: 'burst', perSecond: (second: number) => (second % 10 === 0 ? 500 : 0) }
  const { of } = simulate([...five, burst], { seconds: 60, drain: () => 200 })

  expect(of('burst').accepted).toBe(of('burst').sent)
})

test('a queue that nobody works on lets a trickle of every client through and no more', () => {
  const { of, most } = simulate(five, { seconds: 300, drain: () => 0 })

  expect(most).toBeLessThan(LIMITS.depthHigh + 5 * 300 * LIMITS.tricklePerSecond)
  for (const { client } of five) expect(of(client).retryAfter.length).toBeGreaterThan(0)
})

test('who is refused and comes again when told to is mostly let in', () => {
  let now = 0
  const admission = createAdmission({
    monitor: {
      figuresOf: () => ({ backlog: 5_000, basis: 'depth', drain: 50, slots: 10 }),
      replicas: 1,
      count: () => undefined,
    },
    limits: LIMITS,
    now: () => now,
    random: () => 0.5,
  })
  const due: number[] = []
  let first = 0
  let again = 0
  let letIn = 0
  for (let ms = 0; ms < 60_000; ms += 10) {
    now = ms
    const come = due.filter((at) => at <= ms).length
    for (let index = due.length - 1; index >= 0; index--) if ((due[index] as number) <= ms) due.splice(index, 1)
    for (let request = 0; request < come; request++) {
      again += 1
      const answer = admission.admit('queue', 'patient')
      if (answer.isAdmitted) letIn += 1
      else due.push(ms + answer.retryAfterSeconds * 1_000)
    }
    for (let request = 0; request < 4 && ms < 1_000; request++) {
      first += 1
      const answer = admission.admit('queue', 'patient')
      if (!answer.isAdmitted) due.push(ms + answer.retryAfterSeconds * 1_000)
    }
  }

  expect(first).toBe(400)
  expect(letIn / again).toBeGreaterThan(0.8)
})

test('what is not known is treated as full: everybody has his trickle', () => {
  const admission = createAdmission({
    monitor: {
      figuresOf: () => ({ backlog: undefined, basis: 'unknown', drain: undefined, slots: undefined }),
      replicas: 1,
      count: () => undefined,
    },
    limits: LIMITS,
    now: () => 0,
  })
  const answers = Array.from({ length: 10 }, () => admission.admit('queue', 'client').isAdmitted)

  expect(answers.filter(Boolean).length).toBeGreaterThanOrEqual(1)
  expect(answers.at(-1)).toBe(false)
})

test('while the broker is away the outbox has room for an outage', () => {
  const admission = createAdmission({
    monitor: {
      figuresOf: () => ({ backlog: 39_000, basis: 'outbox', drain: 0, slots: undefined }),
      replicas: 1,
      count: () => undefined,
    },
    limits: LIMITS,
    now: () => 0,
  })

  expect(Array.from({ length: 500 }, () => admission.admit('queue', 'client').isAdmitted).every(Boolean)).toBe(true)
})

test('a full outbox refuses everything beyond the shares, and says its own limit', () => {
  const admission = createAdmission({
    monitor: {
      figuresOf: () => ({ backlog: 50_000, basis: 'outbox', drain: 0, slots: undefined }),
      replicas: 1,
      count: () => undefined,
    },
    limits: LIMITS,
    now: () => 0,
  })
  const answers = Array.from({ length: 500 }, () => admission.admit('queue', 'client'))

  expect(answers.filter(({ isAdmitted }) => isAdmitted).length).toBeLessThan(10)
  expect(answers.at(-1)?.standing.limit).toBe(50_000)
})
