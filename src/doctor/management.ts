/** What only RabbitMQ's management API tells: policies, counts, consumer timeouts, the clock. */
import type { Management, QueueFacts } from '../broker/management.ts'
import { type Topology, workQueue } from '../broker/topology.ts'
import type { Contracts } from '../core/task-types.ts'
import { pause } from '../runtime/wait.ts'
import { CHECKS } from './checks.ts'
import { judgeClock } from './clock.ts'
import { type Finding, notChecked, ok, problem } from './finding.ts'
import { longestTask } from './work.ts'

/** What a policy may say that drops messages or keeps them from moving. https://www.rabbitmq.com/docs/parameters */
const LOSING = [
  'message-ttl',
  'expires',
  'max-length',
  'max-length-bytes',
  'delivery-limit',
  'overflow',
  'dead-letter-exchange',
  'dead-letter-routing-key',
  'dead-letter-strategy',
]

/** The limit is looked at about once a minute. https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const TIMEOUT_MARGIN_MS = 60_000
/** Whole seconds, by a clock of the web server's own that ticks once a second and ticks late when the machine is busy. */
const DATE_STEP_MS = 2_000
/** The figures of a new queue were seen to take 5.8 to 6.8 s to appear, on 3.10.8. */
const FIGURES_WITHIN_MS = 10_000

const ENABLE = 'Set NIGHTSHIFT_MANAGEMENT_URL, such as http://rabbitmq:15672, for a user with the tag `monitoring`.'

/** Says what cannot be known without the management API. */
export function withoutManagement(): Finding[] {
  const what = 'it cannot be seen without the management API'
  return (['policies', 'queue-counts', 'consumer-timeout'] as const).map((check) => notChecked(check, what, ENABLE))
}

/**
 * Lists the queues, once their policies are shown: those of a new queue come with its first figures, within some 7 s.
 * After 10 s it takes what there is.
 */
export async function queuesWithPolicies(management: Management, { queues }: Topology): Promise<QueueFacts[]> {
  const ours = new Set(queues.map(({ name }) => name))
  const until = performance.now() + FIGURES_WITHIN_MS
  for (;;) {
    const facts = await management.queues()
    const isShown = facts.every((queue) => !ours.has(queue.name) || queue.effective_policy_definition !== undefined)
    if (isShown || performance.now() > until) return facts
    await pause(1_000)
  }
}

/** A policy's number holds only where it is below the queue's own; anything else, only where the queue has none. */
export function checkPolicies(queues: readonly QueueFacts[], topology: Topology): Finding[] {
  const ours = topology.queues.flatMap(({ name, arguments: own }) => {
    const facts = queues.find((queue) => queue.name === name)
    return facts ? [{ name, own, facts }] : []
  })
  const found = ours.flatMap(({ name, own, facts }) =>
    Object.entries(policyOf(facts)).flatMap(([key, value]) => {
      const argument = own[`x-${key}`]
      const isOverruled =
        typeof argument === 'number' && typeof value === 'number'
          ? argument >= 0 && argument <= value
          : argument !== undefined
      if (!LOSING.includes(key) || isOverruled) return []
      return [problem('policies', `a policy gives queue ${name} ${key} ${String(value)}`)]
    }),
  )
  if (found.length > 0) return found
  if (ours.some(({ facts }) => facts.effective_policy_definition === undefined)) {
    return [notChecked('policies', 'the management API does not show them', CHECKS['queue-counts'].fix)]
  }
  return [ok('policies', 'no policy changes what the queues keep')]
}

export function checkConsumerTimeout(
  queues: readonly QueueFacts[],
  worked: readonly string[],
  contracts: Contracts,
): Finding[] {
  const found = worked.flatMap((queue) => {
    const facts = queues.find(({ name }) => name === workQueue(queue))
    const limits = [facts?.arguments['x-consumer-timeout'], policyOf(facts)['consumer-timeout']]
    const limitMs = Math.min(...limits.filter((limit) => typeof limit === 'number'))
    const longest = longestTask(contracts, new Set([queue]))
    if (!longest || longest.deadlineMs + TIMEOUT_MARGIN_MS <= limitMs) return []
    const what = `queue ${workQueue(queue)} has a consumer timeout of ${limitMs / 1_000} s, and ${longest.name} may take ${longest.deadlineMs / 1_000} s`
    return [problem('consumer-timeout', what)]
  })
  if (found.length > 0) return found
  // Contracts cannot name a deadline over 20 minutes, so the default always leaves room.
  const what = 'no queue and no policy has one that is too short, and RabbitMQ’s default of 30 min is long enough'
  return [ok('consumer-timeout', `${what} (a node’s own consumer_timeout cannot be seen from outside)`)]
}

/** Asks for each queue alone, because that is what an autoscaler asks for. */
export async function checkCounts(management: Management, worked: readonly string[]): Promise<Finding> {
  const facts = await Promise.all(worked.map((queue) => management.queue(workQueue(queue))))
  const silent = facts.filter(({ messages }) => typeof messages !== 'number').map(({ name }) => name)
  if (silent.length === 0) return ok('queue-counts', 'the management API counts the messages of every work queue')
  return problem('queue-counts', `the management API shows no count of messages for ${silent.join(', ')}`)
}

export async function checkBrokerClock(management: Management): Promise<Finding> {
  const beforeMs = Date.now()
  const time = await management.time()
  if (!time)
    return notChecked('clock', 'the management API does not tell the time', 'Compare the machines’ clocks by hand.')
  return judgeClock('RabbitMQ', { saidMs: time.getTime(), beforeMs, afterMs: Date.now(), stepMs: DATE_STEP_MS })
}

function policyOf(facts: QueueFacts | undefined): Readonly<Record<string, unknown>> {
  const policy = facts?.effective_policy_definition
  return policy && !Array.isArray(policy) ? (policy as Record<string, unknown>) : {}
}
