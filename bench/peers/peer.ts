// What every peer is asked to do, in its own words. Each file beside this one is a peer as its own documentation would
// have it set up: the durable way, and tuned as it advises.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from '../../scripts/demo/platform.ts'

/** Where the packages of the peers are installed, apart from those of this repository. */
export const PEERS_FOLDER = join(ROOT, '.nightshift/bench')

export interface Places {
  readonly databaseUrl: string
  readonly amqpUrl: string
  readonly redisUrl: string
}

export type Payload = Readonly<Record<string, unknown>>

export interface Producer {
  /** Resolves when the task is stored, as durably as this peer can. */
  add(payload: Payload): Promise<void>
  addMany(payloads: readonly Payload[]): Promise<void>
  close(): Promise<void>
}

export interface Worker {
  stop(): Promise<void>
}

/** The no-op handler: notes that it has begun, and returns a value. */
export type Handle = (payload: Payload) => object

/** backlog: tuned to empty a full queue. steady: tuned to work while tasks arrive. */
export type Load = 'backlog' | 'steady'

export interface Ledger {
  /** Tasks that are stored and not done. */
  left(): Promise<number>
  /** How long after its due moment each task that names one was done, in order of acceptance; absent where not kept. */
  recordedMs?(): Promise<number[]>
  close(): Promise<void>
}

export interface Peer {
  /** Makes its tables or queues, once, before anything else. */
  prepare(places: Places): Promise<void>
  produce(places: Places): Promise<Producer>
  work(places: Places, handle: Handle, load: Load): Promise<Worker>
  /** Absent where nothing is kept to look at: then what was accepted is compared with what was acknowledged. */
  ledger?(places: Places): Promise<Ledger>
}

const requirePeer = createRequire(join(PEERS_FOLDER, 'package.json'))

/** Loads a package of a peer. Its types are not installed here, so each peer says what it uses of it. */
export function peerPackage<Exports>(name: string): Exports {
  return requirePeer(name) as Exports
}
