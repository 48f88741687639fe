/**
 * A pack is what a team adds to the platform: contracts, routes and migrations, and in a module of its own the handlers.
 * The api loads the pack; only consumers load its handlers.
 */
import type { Contract } from './contract.ts'

const PACK = Symbol.for('nightshift-tasks.pack')

/** A path of the API that submits one task type: the body is the payload. */
export interface PackRoute {
  readonly method: 'post'
  /** Below `/api/v1/`, such as `/api/v1/orders/close`: lower-case words of `a-z 0-9 -`. */
  readonly path: string
  /** The name of the task type that it submits, one of the pack's own. */
  readonly task: string
  /** One line for the API's documentation. */
  readonly summary: string
  /** More about it; without it, a sentence that names the task type. */
  readonly description?: string
}

/** What `definePack` is given. */
export interface PackInput {
  /** 1-40 of `a-z 0-9 -`, beginning with a letter. Its tables stand in a schema of this name, dashes as underscores. */
  readonly name: string
  readonly contracts: readonly Contract[]
  readonly routes?: readonly PackRoute[]
  /** The folder with the numbered SQL files, such as `new URL('../migrations/', import.meta.url)`. */
  readonly migrations?: URL
}

/** A pack that `definePack` has checked. */
export interface Pack {
  readonly [PACK]: true
  readonly name: string
  readonly contracts: readonly Contract[]
  readonly routes: readonly PackRoute[]
  readonly migrations: URL | undefined
}

const NAME_PATTERN = /^[a-z][a-z0-9-]{0,39}$/
const PATH_PATTERN = /^\/api\/v1(?:\/[a-z0-9][a-z0-9-]*){1,8}$/

/**
 * Declares a pack. Export it as the default of the package's main module, and its handlers as the default of the
 * package's `./handlers`: `export default [handlerOf(…), …]`.
 *
 * @throws RangeError naming the pack and what is out of bounds
 */
export function definePack({ name, contracts, routes = [], migrations }: PackInput): Pack {
  const refuse = (what: string): never => {
    throw new RangeError(`pack "${name}": ${what}`)
  }
  if (!NAME_PATTERN.test(name)) refuse('the name must be 1-40 characters of a-z, 0-9 and -, beginning with a letter')
  const tasks = new Set(contracts.map((contract) => contract.name))
  if (tasks.size < contracts.length) refuse('two contracts have the same name')
  for (const { path, task } of routes) {
    if (!PATH_PATTERN.test(path)) refuse(`the route ${path} must be /api/v1/ and lower-case words of a-z, 0-9 and -`)
    if (!tasks.has(task)) refuse(`the route ${path} submits "${task}", which is none of its task types`)
  }
  if (new Set(routes.map(({ path }) => path)).size < routes.length) refuse('two routes have the same path')
  return { [PACK]: true, name, contracts, routes, migrations }
}

/** Tells whether a value was made by `definePack` of any copy of this package. */
export function isPack(value: unknown): value is Pack {
  return typeof value === 'object' && value !== null && (value as { [PACK]?: unknown })[PACK] === true
}
