/** Looks at the broker by both of its doors: AMQP, and the management API where it is given. */

import { inspectBroker } from '../broker/inspection.ts'
import type { Management } from '../broker/management.ts'
import { type Topology, workQueue } from '../broker/topology.ts'
import type { Contracts } from '../core/task-types.ts'
import { type Finding, notChecked, problem } from './finding.ts'
import {
  checkBrokerClock,
  checkConsumerTimeout,
  checkCounts,
  checkPolicies,
  queuesWithPolicies,
  withoutManagement,
} from './management.ts'
import { differencesByManagement, differencesOverAmqp, judgeExchanges, judgeQueues, judgeVersion } from './topology.ts'

export interface BrokerPatient {
  readonly amqpUrl: string
  readonly management: Management | undefined
  readonly topology: Topology
  readonly contracts: Contracts
  /** The queues worked on. */
  readonly worked: readonly string[]
}

/** @throws Error when the broker does not answer over AMQP */
export async function checkBroker(patient: BrokerPatient): Promise<Finding[]> {
  const { amqpUrl, management, topology } = patient
  const inspected = await inspectBroker(amqpUrl, topology)
  const overAmqp = differencesOverAmqp(inspected)
  const byHttp = management ? await checkByManagement(patient, management) : undefined
  const known = new Set(byHttp?.differences?.map(({ queue }) => queue))
  const differences = [...(byHttp?.differences ?? []), ...overAmqp.filter(({ queue }) => !known.has(queue))]
  return [
    judgeVersion(inspected),
    ...judgeExchanges(inspected, byHttp?.bindings, topology),
    ...judgeQueues(differences, byHttp?.differences !== undefined, topology),
    ...(byHttp?.findings ?? withoutManagement()),
  ]
}

interface ByManagement {
  readonly findings: Finding[]
  /** Undefined when the management API did not answer. */
  readonly differences?: ReturnType<typeof differencesByManagement>
  readonly bindings?: Awaited<ReturnType<Management['bindings']>>
}

async function checkByManagement(patient: BrokerPatient, management: Management): Promise<ByManagement> {
  const { topology, contracts, worked } = patient
  try {
    const [queues, bindings] = await Promise.all([queuesWithPolicies(management, topology), management.bindings()])
    const existing = worked.filter((queue) => queues.some(({ name }) => name === workQueue(queue)))
    return {
      differences: differencesByManagement(queues, topology),
      bindings,
      findings: [
        ...checkPolicies(queues, topology),
        await checkCounts(management, existing),
        ...checkConsumerTimeout(queues, worked, contracts),
        await checkBrokerClock(management),
      ],
    }
  } catch (error) {
    const reason = (error as { cause?: Error }).cause?.message ?? (error as Error).message
    const fix = 'Mend NIGHTSHIFT_MANAGEMENT_URL, then look again.'
    return {
      findings: [
        problem('queue-counts', `the management API cannot be read: ${reason}`),
        notChecked('policies', 'the management API cannot be read', fix),
        notChecked('consumer-timeout', 'the management API cannot be read', fix),
      ],
    }
  }
}
