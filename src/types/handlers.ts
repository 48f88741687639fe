/** The work of every task type by name. Only consumers load this. */
import type { Handlers } from 'nightshift-tasks'
import { conversationHandler } from '../../packs/conversation/src/handler.ts'
import { TRIAL_HANDLERS } from '../../packs/trial/src/handler.ts'

const PRODUCT = [conversationHandler]

/** Collects the handlers of this deployment. @param trial whether the tasks for trying out exist */
export function handlersFor(trial: boolean): Handlers {
  const all = trial ? [...PRODUCT, ...TRIAL_HANDLERS] : PRODUCT
  return new Map(all.map((handler) => [handler.contract.name, handler]))
}
