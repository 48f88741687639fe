// `SKIP=4 node bench/profile.ts FILE…`: what a CPU profile of a process says, in two tables: which packages its time went to,
// and which functions, each with what they call (total) and without (self). SKIP leaves out the first seconds.
import { readFileSync } from 'node:fs'

interface Node {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

interface Profile {
  readonly nodes: readonly Node[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface Cost {
  self: number
  total: number
}

const SKIP_MS = Number(process.env.SKIP ?? 0) * 1_000
const TOP = Number(process.env.TOP ?? 30)
/** What V8 calls a sample outside all functions; idle is left out of the whole. */
const IDLE = '(idle)'

for (const file of process.argv.slice(2)) print(file, JSON.parse(readFileSync(file, 'utf8')) as Profile)

function print(file: string, { nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)))
  const functions = new Map<string, Cost>()
  const packages = new Map<string, Cost>()
  let idle = 0
  let busy = 0
  let at = 0
  for (const [index, id] of samples.entries()) {
    const ms = (timeDeltas[index] ?? 0) / 1_000
    at += ms
    if (at < SKIP_MS) continue
    const leaf = byId.get(id) as Node
    if (leaf.callFrame.functionName === IDLE) {
      idle += ms
      continue
    }
    busy += ms
    costOf(functions, nameOf(leaf)).self += ms
    costOf(packages, packageOf(leaf)).self += ms
    const [seenFunctions, seenPackages] = [new Set<string>(), new Set<string>()]
    for (let node: number | undefined = id; node !== undefined; node = parents.get(node)) {
      seenFunctions.add(nameOf(byId.get(node) as Node))
      seenPackages.add(packageOf(byId.get(node) as Node))
    }
    for (const name of seenFunctions) costOf(functions, name).total += ms
    for (const name of seenPackages) costOf(packages, name).total += ms
  }
  console.log(
    `\n${file}\nbusy ${(busy / 1_000).toFixed(2)} s, idle ${(idle / 1_000).toFixed(2)} s; shares of the busy time`,
  )
  table('package', packages, busy)
  table('function', functions, busy)
}

function table(what: string, costs: ReadonlyMap<string, Cost>, busy: number): void {
  const percent = (ms: number): string => `${((100 * ms) / busy).toFixed(1)}%`.padStart(7)
  const bySelf = [...costs].toSorted(([, a], [, b]) => b.self - a.self).slice(0, TOP)
  console.log(`\n   self   total  ${what}`)
  for (const [name, { self, total }] of bySelf) console.log(`${percent(self)} ${percent(total)}  ${name}`)
  if (what !== 'function') return
  const own = [...costs].filter(([name]) => / src\//.test(name)).toSorted(([, a], [, b]) => b.total - a.total)
  console.log('\n   self   total  our own functions, by total')
  for (const [name, { self, total }] of own.slice(0, TOP)) console.log(`${percent(self)} ${percent(total)}  ${name}`)
}

function costOf(costs: Map<string, Cost>, name: string): Cost {
  const known = costs.get(name)
  if (known) return known
  const made = { self: 0, total: 0 }
  costs.set(name, made)
  return made
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: Node): string {
  const place = url.replace(/^.*\/(?=(?:node_modules|src|bench)\/)/, '')
  return `${functionName || '(anonymous)'} ${place === '' ? '' : `${place}:${lineNumber + 1}`}`
}

function packageOf({ callFrame: { functionName, url } }: Node): string {
  if (functionName === '(garbage collector)') return 'garbage collector'
  if (url === '') return functionName === '(program)' ? 'program (native, system calls)' : 'V8 built-ins and native'
  if (url.startsWith('node:')) return url.split('/')[0] as string
  return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? /\/((?:src|bench)\/[^/]+)/.exec(url)?.[1] ?? url
}
