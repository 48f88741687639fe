/** Every task type by name. The api and the consumers load this; it imports no handler. */
import { type Contracts, contractsOf } from 'nightshift-tasks'
import { conversationEnded } from '../../packs/conversation/src/contract.ts'
import {
  trialCrash,
  trialEcho,
  trialFail,
  trialFailFast,
  trialOverrun,
  trialSleep,
} from '../../packs/trial/src/contract.ts'

const PRODUCT = [conversationEnded]
const TRIAL = [trialEcho, trialSleep, trialOverrun, trialFail, trialFailFast, trialCrash]

/** Collects the contracts of this deployment. @param trial whether the tasks for trying out exist */
export function contractsFor(trial: boolean): Contracts {
  return contractsOf(trial ? [...PRODUCT, ...TRIAL] : PRODUCT)
}

/** Names the task types whose idempotency key is made from their payload. */
export function keyedTasksOf(contracts: Contracts): string[] {
  return [...contracts.values()].filter(({ idempotencyKey }) => idempotencyKey !== undefined).map(({ name }) => name)
}
