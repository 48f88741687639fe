/**
 * Writes down when this process could not publish. It costs nothing while all is well, and tells of every task that
 * waited meanwhile why it did, which no row of a task could say as cheaply.
 */
import type { Link } from '../broker/link.ts'
import type { Log } from '../runtime/log.ts'
import { createLoop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Db } from '../store/db.ts'
import { type Absence, beginAbsence, prolongAbsence } from '../store/upkeep/absences.ts'

const LOOK_EVERY_MS = 1_000

export interface AbsenceRecorderOptions {
  readonly db: Db
  readonly publisher: Pick<Link, 'state'>
  /** What this process is called. */
  readonly process: string
  readonly keptMs: number
  readonly log: Log
}

/** Records what lasts for two looks or more: a connection that is only being made is no absence. */
export function createAbsenceRecorder({ db, publisher, process, keptMs, log }: AbsenceRecorderOptions): Service {
  /** Since when there is trouble, by the monotonic clock; `since` names its row once it is written. */
  let trouble: { readonly state: Absence['state']; readonly begun: number; since?: string } | undefined

  async function look(): Promise<boolean> {
    const state = publisher.state === 'ready' ? undefined : publisher.state === 'blocked' ? 'blocked' : 'away'
    if (trouble?.since !== undefined) await prolongAbsence(db, process, trouble.since)
    if (trouble?.state !== state) {
      trouble = state && { state, begun: performance.now() }
    } else if (trouble && trouble.since === undefined) {
      const secondsAgo = (performance.now() - trouble.begun) / 1_000
      trouble.since = await beginAbsence(db, { process, secondsAgo, state: trouble.state }, keptMs)
    }
    return false
  }

  const loop = createLoop({ name: 'absence recorder', everyMs: LOOK_EVERY_MS, log, step: look })
  return { name: 'absence recorder', start: loop.start, stop: loop.stop }
}
