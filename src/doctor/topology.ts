/** Whether the broker has the exchanges and queues it should, with the arguments that keep messages. */
import type { Inspected } from '../broker/inspection.ts'
import type { BindingFacts, QueueFacts } from '../broker/management.ts'
import type { Topology } from '../broker/topology.ts'
import type { CheckName } from './checks.ts'
import { type Finding, notChecked, ok, problem } from './finding.ts'

export interface Difference {
  readonly queue: string
  /** Undefined: the queue is missing. */
  readonly argument: string | undefined
  readonly says: string
}

/** Which check an argument belongs to; those that are not here belong to `queues`. */
const CHECK_OF: Readonly<Record<string, CheckName>> = {
  'x-queue-type': 'queue-type',
  'x-delivery-limit': 'delivery-limit',
  'x-dead-letter-exchange': 'dead-lettering',
  'x-dead-letter-routing-key': 'dead-lettering',
  'x-dead-letter-strategy': 'dead-lettering',
  'x-overflow': 'dead-lettering',
}

/** Arguments that are none of ours and drop messages. */
const LOSING = ['x-message-ttl', 'x-expires', 'x-max-length', 'x-max-length-bytes']

const LEAST_VERSION = { major: 3, minor: 10 }

export function judgeVersion({ version }: Inspected): Finding {
  if (version === undefined) return ok('broker', 'RabbitMQ answers, and does not say its version')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isNew = major > LEAST_VERSION.major || (major === LEAST_VERSION.major && minor >= LEAST_VERSION.minor)
  return (isNew ? ok : problem)('broker', `RabbitMQ is version ${version}${isNew ? '' : ', before 3.10'}`)
}

/** Reads the differences that the broker named when it was asked over AMQP: the first of each queue. */
export function differencesOverAmqp({ queues }: Inspected): Difference[] {
  return [...queues].map(([queue, says]) => {
    if (says === 'missing') return { queue, argument: undefined, says: 'is missing' }
    return { queue, argument: /inequivalent arg '([^']+)'/.exec(says)?.[1] ?? '', says: `differs: ${says}` }
  })
}

/** Compares every argument of every queue with what the management API shows. */
export function differencesByManagement(found: readonly QueueFacts[], { queues }: Topology): Difference[] {
  return queues.flatMap(({ name: queue, arguments: own }): Difference[] => {
    const facts = found.find(({ name }) => name === queue)
    if (!facts) return [{ queue, argument: undefined, says: 'is missing' }]
    const type = facts.type ?? facts.arguments['x-queue-type'] ?? 'classic'
    if (type !== own['x-queue-type']) {
      return [{ queue, argument: 'x-queue-type', says: `is a ${type} queue, not a ${own['x-queue-type']} one` }]
    }
    const wrong = Object.entries(own).flatMap(([argument, wanted]) => {
      const is = facts.arguments[argument]
      if (is === wanted) return []
      return [
        { queue, argument, says: `has ${is === undefined ? `no ${argument}` : `${argument} ${is}`}, not ${wanted}` },
      ]
    })
    const more = LOSING.filter((argument) => !(argument in own) && facts.arguments[argument] !== undefined)
    return [
      ...wrong,
      ...more.map((argument) => ({ queue, argument, says: `has ${argument} ${facts.arguments[argument]}` })),
    ]
  })
}

/** @param areAll whether `differences` are all there are, not only the first of each queue */
export function judgeQueues(differences: readonly Difference[], areAll: boolean, topology: Topology): Finding[] {
  const found = differences.map(({ queue, argument, says }) =>
    problem(
      argument === undefined ? 'queues' : (CHECK_OF[argument] ?? 'queues'),
      `queue ${queue} ${says || 'has no key'}`,
    ),
  )
  const bad = new Set(found.map(({ check }) => check))
  const good: readonly (readonly [CheckName, string])[] = [
    ['queues', `all ${topology.queues.length} queues exist and keep what they are given`],
    ['queue-type', 'all queues are quorum queues'],
    ['dead-lettering', 'dead-lettering is at least once'],
    ['delivery-limit', 'all queues have our delivery limits'],
  ]
  const isHidden = !areAll && differences.some(({ argument }) => argument !== undefined)
  const rest = good.flatMap(([check, what]): Finding[] => {
    if (bad.has(check)) return []
    if (!isHidden) return [ok(check, what)]
    const why = 'RabbitMQ names only the first difference of a queue'
    return [notChecked(check, why, 'Mend what was found and look again, or set NIGHTSHIFT_MANAGEMENT_URL.')]
  })
  return [...found, ...rest]
}

/** @param bindings what the management API shows, or undefined when it was not asked */
export function judgeExchanges(
  { exchanges }: Inspected,
  bindings: readonly BindingFacts[] | undefined,
  topology: Topology,
): Finding[] {
  const wrong = [...exchanges].map(([name, says]) =>
    problem('exchanges', says === 'missing' ? `exchange ${name} is missing` : `exchange ${name} differs: ${says}`),
  )
  const all = [...wrong, ...unboundOf(bindings ?? [], topology)]
  if (all.length > 0) return all
  const seen = bindings ? 'every queue is bound' : 'bindings cannot be seen over AMQP'
  return [ok('exchanges', `both exchanges exist; ${seen}`)]
}

function unboundOf(bindings: readonly BindingFacts[], topology: Topology): Finding[] {
  return topology.queues.flatMap((queue) => {
    const own = bindings.filter(({ destination }) => destination === queue.name)
    // Every queue is bound to the default exchange; one without any binding does not exist, and that was said.
    if (own.length === 0) return []
    return queue.bindings
      .filter(({ exchange, key }) => !own.some((is) => is.source === exchange && is.routing_key === key))
      .map(({ exchange, key }) => problem('exchanges', `queue ${queue.name} is not bound to ${exchange} by ${key}`))
  })
}
