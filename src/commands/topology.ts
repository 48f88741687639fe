/** `nightshift topology`: prints what must exist on the broker. */
import { topologyOf } from '../broker/topology.ts'
import { queuesOf, rungsOf, slotsOf } from '../roles/rungs.ts'
import { readConfig } from '../runtime/config.ts'
import { sayJson } from '../runtime/terminal.ts'
import { loadPacks } from '../types/packs.ts'
import { asJson, type Define } from './command.ts'

export const define: Define = (nightshift) => {
  nightshift
    .command('topology')
    .summary('print the exchanges and queues that must exist, as JSON')
    .description('Prints what every process declares by itself, as JSON. Connects to nothing.')
    .addOption(asJson().hideHelp())
    .action(async () => {
      const config = readConfig(process.env, ['queues', 'retryLadderMs', 'packs'])
      const { contracts } = await loadPacks(config.packs)
      sayJson(
        topologyOf(queuesOf(contracts, slotsOf(contracts, config.queues)), rungsOf(contracts, config.retryLadderMs)),
      )
    })
}
