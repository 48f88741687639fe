/** The pack `trial`: tasks for trying Nightshift out. Not for production: `trial.crash` ends its consumer. */
import { definePack } from 'nightshift-tasks'
import { trialCrash, trialEcho, trialFail, trialFailFast, trialOverrun, trialSleep } from './contract.ts'

export default definePack({
  name: 'trial',
  contracts: [trialEcho, trialSleep, trialOverrun, trialFail, trialFailFast, trialCrash],
})
