// What the measures need of a system, whichever it is.
import type { Processes } from '../cpu.ts'
import type { Load } from '../peers/peer.ts'
import type { WorkerNotes } from '../roles/notes.ts'
import type { Servers } from '../servers.ts'
import type { SystemName } from './names.ts'

/** Where and how one task is posted. */
export interface Target {
  readonly url: string
  /** What is posted for a payload. */
  readonly bodyOf: (payload: object) => object
}

export interface Session {
  /** Starts the process that takes requests. */
  startFront(): Promise<Target>
  /** Starts the one process that runs tasks. */
  startWorker(load: Load): Promise<void>
  /** Stores tasks in bulk, as fast as it can, and resolves with the seconds it took until all were stored. */
  bulk(count: number): Promise<number>
  /** Resolves when everything that is stored can be taken by a worker. */
  settled(): Promise<void>
  /** Tasks that are stored. */
  accepted(): Promise<number>
  /** Tasks that are stored and not recorded as done. */
  left(): Promise<number>
  /** Tasks that are recorded as done, or, where nothing is kept, that the worker has handled. */
  done(): Promise<number>
  notes(): Promise<WorkerNotes>
  /**
   * How long after its due moment each task that names one was recorded as done, in order of acceptance.
   * Undefined where that is not kept.
   */
  recordedMs(): Promise<number[] | undefined>
  /** Calls the library without HTTP, one task after the other; absent where there is no library. */
  callSingly?(count: number, gapMs: number): Promise<void>
  /** Every process that works for this system, its servers included, by what it is. */
  processes(): Processes
  close(): Promise<void>
}

export interface System {
  readonly name: SystemName
  /** Makes all it needs anew: an empty database, virtual host or Redis. */
  open(servers: Servers): Promise<Session>
}
