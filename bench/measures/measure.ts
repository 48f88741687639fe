// What a measure is, and what measures share.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Servers } from '../servers.ts'
import type { SystemName } from '../systems/names.ts'
import type { Session, System } from '../systems/system.ts'

/** What one run of one system gave: figures by name. */
export type Figures = Readonly<Record<string, number>>

export interface Setting {
  readonly servers: Servers
  readonly isQuick: boolean
}

export interface Measure {
  /** The systems it makes sense for. */
  readonly systems: readonly SystemName[]
  run(system: System, setting: Setting): Promise<Figures>
}

/** Opens a session, uses it, and ends its processes whatever happens. */
export async function withSession<Result>(
  system: System,
  { servers }: Setting,
  use: (session: Session) => Promise<Result>,
): Promise<Result> {
  const session = await system.open(servers)
  try {
    return await use(session)
  } finally {
    await session.close()
  }
}

const SHORTEST_WAIT_MS = 15
const LONGEST_WAIT_MS = 2_000
const NO_PROGRESS_FOR_MS = 60_000

/**
 * Waits until nothing is left, and checks that everything accepted is done. Counting is work for the server that is
 * measured, so the next look comes after half of the time that the rest will take: some ten looks in all.
 *
 * @returns when nothing was left, by `performance.now()`
 */
export async function untilDone(session: Session): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  let movedAt = performance.now()
  let waitMs = SHORTEST_WAIT_MS
  for (;;) {
    const left = await session.left()
    const now = performance.now()
    if (left === 0) break
    if (left < least) {
      const perMs = (least - left) / (now - movedAt)
      waitMs = Number.isFinite(perMs) ? left / perMs / 2 : SHORTEST_WAIT_MS
      least = left
      movedAt = now
    } else if (now - movedAt > NO_PROGRESS_FOR_MS) throw new Error(`${left} tasks are left and none ends`)
    await sleep(Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, waitMs)))
  }
  const at = performance.now()
  const [accepted, done] = [await session.accepted(), await session.done()]
  if (done < accepted) throw new Error(`${accepted} tasks were accepted, ${done} are done, and none is left`)
  return at
}
