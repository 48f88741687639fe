/** Loads the work of the packs' task types. Only consumers load this. */
import type { Handler } from 'nightshift-tasks'
import type { Handlers } from '../core/task-types.ts'
import { defaultOf, type LoadedPack, type TaskTypes, unfit } from './packs.ts'

/**
 * Loads the handlers of every pack.
 * @throws ConfigError when a pack has none for one of its task types, or one for a task type that is not its own
 */
export async function loadHandlers({ packs }: TaskTypes): Promise<Handlers> {
  const all = (await Promise.all(packs.map(handlersOf))).flat()
  return new Map(all.map((handler) => [handler.contract.name, handler]))
}

async function handlersOf({ pack, name: word, package: from }: LoadedPack): Promise<readonly Handler[]> {
  const handlers = await defaultOf(word, from, `${from}/handlers`)
  if (!Array.isArray(handlers) || !handlers.every(isHandler)) {
    throw unfit(word, `the default export of ${from}/handlers is not a list of handlers: make each with handlerOf`)
  }
  const has = new Set(handlers.map(({ contract }) => contract.name))
  const needs = new Set(pack.contracts.map(({ name }) => name))
  const [without] = needs.difference(has)
  if (without !== undefined) throw unfit(word, `it has no handler of "${without}": add one`)
  const [foreign] = has.difference(needs)
  if (foreign !== undefined) throw unfit(word, `it has a handler of "${foreign}", but no such contract: add one`)
  if (has.size < handlers.length) throw unfit(word, 'it has two handlers of one task type: remove one')
  return handlers
}

function isHandler(value: unknown): value is Handler {
  const { contract, handle } = (value ?? {}) as Partial<Handler>
  return typeof contract?.name === 'string' && typeof handle === 'function'
}
