/** `nightshift topology`: prints what must exist on the broker. */
import { topologyOf } from '../broker/topology.ts'
import { queuesOf, rungsOf } from '../roles/rungs.ts'
import { readConfig } from '../runtime/config.ts'
import { contractsFor } from '../types/contracts.ts'
import { asJson, type Define, sayJson } from './command.ts'

export const define: Define = (nightshift) => {
  nightshift
    .command('topology')
    .summary('print the exchanges and queues that must exist, as JSON')
    .description('Prints what every process declares by itself, as JSON. Connects to nothing.')
    .addOption(asJson().hideHelp())
    .action(() => {
      const config = readConfig(process.env, ['queues', 'retryLadderMs', 'trialTasks'])
      const contracts = contractsFor(config.trialTasks === 'on')
      sayJson(topologyOf(queuesOf(contracts, config.queues), rungsOf(contracts, config.retryLadderMs)))
    })
}
