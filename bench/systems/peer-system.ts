// A peer that is a Node library: an express front, a worker, and a caller without HTTP, each a process.
import { fileURLToPath } from 'node:url'
import type { Processes } from '../cpu.ts'
import type { Ledger, Load, Peer, Places } from '../peers/peer.ts'
import { type Part, startPart } from '../processes.ts'
import type { Order } from '../roles/caller.ts'
import { NO_NOTES, type WorkerNotes } from '../roles/notes.ts'
import type { Servers } from '../servers.ts'
import { type FreshPlace, freshDatabase, freshVhost } from './fresh.ts'
import type { SystemName } from './names.ts'
import type { Session, System } from './system.ts'

export interface PeerUse {
  readonly name: SystemName
  /** The file of bench/peers. */
  readonly peer: string
  readonly uses: 'postgres' | 'rabbitmq' | 'redis-always' | 'redis-everysec' | 'nothing'
}

const PER_CALL = 500
const AT_ONCE = 4
const roleFile = (role: string): string => fileURLToPath(new URL(`../roles/${role}.ts`, import.meta.url))

export function createPeerSystem({ name, peer, uses }: PeerUse): System {
  return {
    name,
    async open(servers) {
      const { places, processes, drop } = await placesFor(uses, servers)
      const loaded =
        uses === 'nothing' ? undefined : ((await import(`../peers/${peer}.ts`)) as { default: Peer }).default
      await loaded?.prepare(places)
      return openSession({ name, peer, places, servers: processes, drop, ledger: await loaded?.ledger?.(places) })
    },
  }
}

interface Opening {
  readonly name: string
  readonly peer: string
  readonly places: Places
  readonly servers: Processes
  readonly ledger: Ledger | undefined
  drop(): Promise<void>
}

function openSession({ name, peer, places, servers, ledger, drop }: Opening): Session {
  const env = { DATABASE_URL: places.databaseUrl, AMQP_URL: places.amqpUrl, REDIS_URL: places.redisUrl }
  const started: (Part & { readonly role: string })[] = []
  let producers: Part[] = []
  let worker: Part | undefined

  async function start(role: string, ...more: string[]): Promise<Part> {
    const script = roleFile(role)
    const part = await startPart({ name: `${name}-${role}`, script, args: [peer, ...more], env })
    started.push({ ...part, role })
    return part
  }
  let caller: Part | undefined
  async function order(given: Order): Promise<number> {
    if (!caller) {
      caller = await start('caller')
      producers = [...producers, caller]
    }
    return (await caller.ask<{ seconds: number }>(given, 'done', 300_000)).seconds
  }
  const notes = async (): Promise<WorkerNotes> => worker?.ask<WorkerNotes>('report', 'report') ?? NO_NOTES
  const accepted = async (): Promise<number> => {
    const reports = await Promise.all(producers.map((part) => part.ask<{ accepted: number }>('report', 'report')))
    return reports.reduce((sum, report) => sum + report.accepted, 0)
  }
  return {
    async startFront() {
      const front = await start('front')
      producers = [...producers, front]
      return { url: `http://127.0.0.1:${front.ready.port}/tasks`, bodyOf: (payload) => payload }
    },
    async startWorker(load: Load) {
      worker = await start('worker', load)
    },
    bulk: (count) => order({ bulk: count, perCall: PER_CALL, atOnce: AT_ONCE }),
    settled: async () => undefined,
    accepted,
    left: async () => (ledger ? ledger.left() : (await accepted()) - (await notes()).handled),
    done: async () => (await notes()).handled,
    notes,
    recordedMs: async () => ledger?.recordedMs?.(),
    callSingly: async (count, gapMs) => void (await order({ singles: count, gapMs })),
    processes: () => ({ ...Object.fromEntries(started.map(({ role, pid }) => [role, [pid]])), ...servers }),
    async close() {
      await Promise.all(started.map((part) => part.stop()))
      await ledger?.close()
      await drop()
    },
  }
}

interface Given {
  readonly places: Places
  readonly processes: Processes
  drop(): Promise<void>
}

const NOWHERE: Places = { databaseUrl: '', amqpUrl: '', redisUrl: '' }

async function placesFor(uses: PeerUse['uses'], servers: Servers): Promise<Given> {
  if (uses === 'nothing') return { places: NOWHERE, processes: {}, drop: async () => undefined }
  if (uses === 'postgres') {
    const { url, drop }: FreshPlace = await freshDatabase(servers)
    return { places: { ...NOWHERE, databaseUrl: url }, processes: { postgres: [(await servers.postgres()).pid] }, drop }
  }
  if (uses === 'rabbitmq') {
    const { url, drop }: FreshPlace = await freshVhost(servers)
    return { places: { ...NOWHERE, amqpUrl: url }, processes: { rabbitmq: [(await servers.rabbitmq()).pid] }, drop }
  }
  const redis = await servers.redis(uses === 'redis-always' ? 'always' : 'everysec')
  await redis.flush()
  return { places: { ...NOWHERE, redisUrl: redis.url }, processes: { redis: [redis.pid] }, drop: () => redis.flush() }
}
