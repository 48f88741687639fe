/** Loads the packs that NIGHTSHIFT_PACKS names, without their handlers, and refuses those that do not fit together. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isPack, type Pack, type PackRoute } from 'nightshift-tasks'
import type { Contracts, PackSchema } from '../core/task-types.ts'
import { ConfigError } from '../runtime/config.ts'

export interface LoadedPack {
  readonly pack: Pack
  /** What NIGHTSHIFT_PACKS calls it. */
  readonly name: string
  /** The npm package that it came from. */
  readonly package: string
}

/** All that the loaded packs bring, but for their handlers. */
export interface TaskTypes {
  readonly packs: readonly LoadedPack[]
  readonly contracts: Contracts
  readonly routes: readonly PackRoute[]
  readonly schemas: readonly PackSchema[]
}

const PREFIX = 'nightshift-pack-'

/**
 * Loads packs by the names of the setting: `mail` is the package `nightshift-pack-mail`, `@team/mail` is itself.
 * @throws ConfigError naming the setting, the pack and the fix
 */
export async function loadPacks(names: readonly string[]): Promise<TaskTypes> {
  const packs = await Promise.all(names.map(loadPack))
  refuseTwice(packs, 'are both called', ({ pack }) => [pack.name])
  refuseTwice(packs, 'both define the task type', ({ pack }) => pack.contracts.map(({ name }) => name))
  refuseTwice(packs, 'both have the route', ({ pack }) => pack.routes.map(({ path }) => path))
  const all = packs.map(({ pack }) => pack)
  return {
    packs,
    contracts: new Map(all.flatMap(({ contracts }) => contracts.map((contract) => [contract.name, contract]))),
    routes: all.flatMap(({ routes }) => routes),
    schemas: all.flatMap(({ name, migrations }) =>
      migrations === undefined ? [] : [{ name: name.replaceAll('-', '_'), folder: fileURLToPath(migrations) }],
    ),
  }
}

async function loadPack(name: string): Promise<LoadedPack> {
  const from = name.startsWith('@') || name.startsWith(PREFIX) ? name : `${PREFIX}${name}`
  const pack = await defaultOf(name, from, from)
  if (!isPack(pack)) throw unfit(name, `the default export of ${from} is not a pack: make it with definePack`)
  if (pack.migrations && !readdirSync(pack.migrations).some((file) => file.endsWith('.sql'))) {
    throw unfit(name, `its folder ${fileURLToPath(pack.migrations)} has no migration: add one`)
  }
  if (/^(?:pg-.*|public|information-schema)$/.test(pack.name)) {
    throw unfit(name, `its pack is called "${pack.name}", a schema that PostgreSQL keeps for itself: rename it`)
  }
  return { pack, name, package: from }
}

/** Loads a module of a pack. @throws ConfigError when it is missing, or fails while it loads */
export async function defaultOf(name: string, from: string, module: string): Promise<unknown> {
  try {
    return ((await import(module)) as { readonly default?: unknown }).default
  } catch (error) {
    const { code, message, stack } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${from}'`)) {
      throw unfit(name, `there is no package ${from} here: install it`)
    }
    throw unfit(name, `${module} cannot be loaded: ${stack ?? String(error)}\nMend it`)
  }
}

/** Says what is wrong with one pack. @param what ends with the fix, which is followed by the other fix */
export function unfit(name: string, what: string): ConfigError {
  return new ConfigError(`NIGHTSHIFT_PACKS names "${name}", and ${what}, or take "${name}" out of NIGHTSHIFT_PACKS`)
}

/** Refuses what two packs both bring. */
function refuseTwice(
  packs: readonly LoadedPack[],
  verb: string,
  wordsOf: (one: LoadedPack) => readonly string[],
): void {
  const owners = new Map<string, string>()
  for (const one of packs) {
    for (const word of wordsOf(one)) {
      const owner = owners.get(word)
      if (owner !== undefined) {
        const both = `the packs ${owner} and ${one.package} ${verb} "${word}"`
        throw new ConfigError(`NIGHTSHIFT_PACKS: ${both}: take one of them out of NIGHTSHIFT_PACKS, or rename it there`)
      }
      owners.set(word, one.package)
    }
  }
}

/**
 * Refuses a route of a pack where the platform answers already.
 * @param paths of all routes, the packs' own among them, such as `/api/v1/tasks/{id}`
 * @throws ConfigError naming the pack and both paths
 */
export function refuseShadows({ packs }: TaskTypes, paths: readonly string[]): void {
  for (const { pack, package: from } of packs) {
    for (const { path } of pack.routes) {
      const others = paths.filter((pattern) => meets(pattern, path))
      others.splice(others.indexOf(path), 1)
      if (others.length === 0) continue
      const shadowed = others.includes(path) ? path : others[0]
      throw new ConfigError(
        `NIGHTSHIFT_PACKS: the pack ${from} has the route ${path}, and the platform answers at ${shadowed}: rename it there, or take the pack out of NIGHTSHIFT_PACKS`,
      )
    }
  }
}

function meets(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  return wanted.length === given.length && wanted.every((word, index) => word.startsWith('{') || word === given[index])
}
