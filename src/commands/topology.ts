/** `nightshift topology`: prints what must exist on the broker. */
import { topologyOf } from '../broker/topology.ts'
import { queuesOf, rungsOf } from '../roles/rungs.ts'
import { readConfig } from '../runtime/config.ts'
import { contractsFor } from '../types/contracts.ts'
import { type Command, readArguments, say } from './command.ts'

export const command: Command = {
  summary: 'print the exchanges and queues that must exist, as JSON',
  usage: 'nightshift topology\n\nPrints what every process declares by itself. It connects to nothing.',
  async run(words) {
    readArguments(words, {})
    const config = readConfig(process.env, ['queues', 'retryLadderMs', 'trialTasks'])
    const contracts = contractsFor(config.trialTasks === 'on')
    const topology = topologyOf(queuesOf(contracts, config.queues), rungsOf(contracts, config.retryLadderMs))
    say(JSON.stringify(topology, undefined, 2))
    return 0
  },
}
