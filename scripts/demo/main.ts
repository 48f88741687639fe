// `make demo`: the main job on real servers, from nothing to a checked report. Leaves nothing running.
// KEEP=1 leaves all running, with the URLs to try it, until `make down`.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { complain, linesOf, say } from '../../src/runtime/terminal.ts'
import { own } from '../servers/ownership.ts'
import { provideServers } from '../servers/servers.ts'
import { type Client, createClient, inParallel } from './client.ts'
import { type KeptServers, noteForDown, printKept, upServers } from './keep.ts'
import { type Ledger, openLedger } from './ledger.ts'
import { type Plan, type Post, planOf } from './plan.ts'
import { type Environment, ROOT, type Role, runCommand, startRole } from './platform.ts'
import { createProgress } from './progress.ts'
import { type Posted, report } from './report.ts'

const IN_FLIGHT = 64
const FINISHED_WITHIN_MS = 120_000
const KEEP = (process.env.KEEP ?? '0') !== '0'

const run = `demo-${randomBytes(3).toString('hex')}`
const folder = join(ROOT, '.nightshift', KEEP ? 'servers' : run)
const undo: (() => Promise<void> | void)[] = []
/** What it prints may quote what tasks have said. */
const print = (text: string): void => say(...linesOf(text))

// Registers the end of owned processes before the removal of their folder.
own(() => undefined)
if (!KEEP) process.on('exit', removeFolder)

let exitCode = 1
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    print(`\nstopping (${signal})`)
    // What was started is owned by this process and ends with it.
    process.exit(130)
  })
}
try {
  exitCode = (await demo()) ? 0 : 1
} catch (error) {
  complain('', ...linesOf(`The demo failed: ${(error as Error).message}`))
  if (KEEP) complain('What was started is left running (KEEP=1): `make down` ends it.')
} finally {
  for (const step of undo.reverse()) await step()
}
process.exit(exitCode)

/** Removes what this run wrote. Processes that are just ending may still write, so more than once; synchronous for 'exit'. */
function removeFolder(): void {
  for (let turn = 0; turn < 50 && existsSync(folder); turn++) {
    try {
      rmSync(folder, { recursive: true, force: true })
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    }
  }
}

async function demo(): Promise<boolean> {
  mkdirSync(folder, { recursive: true })
  const servers = await startServers()
  const env: Environment = {
    DATABASE_URL: servers.databaseUrl,
    AMQP_URL: servers.amqpUrl,
    NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
    NIGHTSHIFT_HTTP_PORT: '0',
    NIGHTSHIFT_METRICS_PORT: '0',
    NIGHTSHIFT_PACKS: 'conversation,trial',
    NIGHTSHIFT_QUEUES: 'conversations:20,trial:10',
    NIGHTSHIFT_RETRY_LADDER: '1s,2s,4s',
  }
  print((await runCommand(['migrate'], env)).split('\n').at(-1) ?? '')
  const key = await runCommand(['key', 'create', '--client', run, '--scopes', 'submit,read'], env)

  const [api, ...consumers] = await startRoles(env, servers)
  const origin = `http://127.0.0.1:${api.httpPort}`
  const client = createClient(origin, key, IN_FLIGHT)
  const ledger = openLedger(servers.databaseUrl)
  undo.push(() => ledger.close())
  undo.push(() => client.close())

  const why = (id: string): Promise<string> => runCommand(['why', id], env)
  const { problems, sample } = await mainJob(planOf(run), client, ledger, why)
  for (const problem of problems.slice(0, 20)) print(`NOT AS PROMISED: ${problem}`)
  if (!KEEP) print('`KEEP=1 make demo` leaves all running, and prints the command to ask for any other id.')
  if (KEEP) printKept({ origin, key, api, consumers, servers, sample }, print)
  return problems.length === 0
}

async function startServers() {
  if (KEEP) return upServers()
  const servers = await provideServers({ folder: join(folder, 'servers'), log: print })
  undo.push(() => servers.stop())
  return servers
}

/** Starts one api and two consumers, side by side: the consumers know nothing of each other. */
async function startRoles(env: Environment, servers: KeptServers): Promise<[Role, ...Role[]]> {
  const start = async (role: 'api' | 'consumer', name: string, extra: Environment = {}): Promise<Role> => {
    const started = await startRole({
      role,
      name,
      folder: join(folder, 'logs'),
      env: { ...env, ...extra },
      outlive: KEEP,
    })
    if (KEEP) noteForDown(servers, started)
    else undo.push(() => started.stop())
    return started
  }
  const named = (name: string) => start('consumer', name, { NIGHTSHIFT_CONSUMER_NAME: name })
  const roles = await Promise.all([start('api', 'api'), named('consumer-1'), named('consumer-2')])
  print(`started one api and two consumers (pids ${roles.map(({ pid }) => pid).join(', ')})`)
  return roles
}

async function mainJob(
  plan: Plan,
  client: Client,
  ledger: Ledger,
  why: (id: string) => Promise<string>,
): Promise<{ problems: string[]; sample: string }> {
  const progress = createProgress()
  const begun = performance.now()
  const counters = { posted: 0 }
  const watching = watch(plan, ledger, counters, begun, progress)
  // The watch ends when all is finished; a refused post ends the demo first.
  const [posted, seconds] = await Promise.all([post(plan, client, counters), watching]).finally(() => progress.end())
  const [outcomes, friendships] = [await ledger.outcomes(run), await ledger.friendships(`${run}-`)]
  const findings = { plan, posted, outcomes, seconds, friendships, inFlight: IN_FLIGHT, why }
  return { problems: await report(findings, print), sample: posted.samples.get('never works')?.requestId ?? '' }
}

async function post(plan: Plan, client: Client, counters: { posted: number }): Promise<Posted> {
  const begun = performance.now()
  const ids = new Set<string>()
  const samples = new Map<Post['kind'], { taskId: string; requestId: string }>()
  let replayed = 0
  /** Posts `inFlight` at a time, and returns how long each took. */
  const postAll = async (posts: readonly Post[], inFlight: number): Promise<number[]> => {
    const latencies: number[] = []
    await inParallel(posts, inFlight, async ({ kind, path, body, requestId }) => {
      const reply = await client.post<{ id: string; requestId: string }>(path, body, requestId)
      latencies.push(reply.ms)
      ids.add(reply.body.id)
      if (reply.isReplayed) replayed++
      else samples.set(kind, { taskId: reply.body.id, requestId })
      counters.posted++
    })
    return latencies
  }
  const alone = await postAll(plan.first, 1)
  const together = await postAll(plan.then, IN_FLIGHT)
  return { accepted: ids.size, replayed, latencies: { alone, together }, seconds: secondsSince(begun), samples }
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000
}

/** Shows how far it is until every task is finished. Returns how many seconds that took from `begun`. */
async function watch(
  { first, then, tasks }: Plan,
  ledger: Ledger,
  counters: { readonly posted: number },
  begun: number,
  progress: ReturnType<typeof createProgress>,
): Promise<number> {
  const posts = first.length + then.length
  let last = { finished: 0, at: begun }
  for (;;) {
    const { SUCCESS, FAILED, CANCELLED } = await ledger.outcomes(run)
    const finished = SUCCESS + FAILED + CANCELLED
    if (finished > last.finished) last = { finished, at: performance.now() }
    progress.show(`${finished}/${tasks} tasks finished, ${counters.posted}/${posts} posted`, finished, tasks)
    if (finished === tasks) return secondsSince(begun)
    if (performance.now() - last.at > FINISHED_WITHIN_MS) {
      throw new Error(
        `${tasks - finished} tasks are not finished, and nothing has moved for ${FINISHED_WITHIN_MS / 1_000} s`,
      )
    }
    await sleep(250)
  }
}
