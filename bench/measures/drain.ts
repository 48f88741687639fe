// A standing backlog, then one consumer process: from the start of the first handler until nothing is left.
import { nowMs } from '../clock.ts'
import { cpuNow, cpuSince } from '../cpu.ts'
import type { SystemName } from '../systems/names.ts'
import { type Figures, type Measure, untilDone, withSession } from './measure.ts'

/** So many that it takes some seconds, and JIT compilers and caches are warm for most of it. */
const BACKLOG: Readonly<Partial<Record<SystemName, number>>> = {
  nightshift: 60_000,
  'bullmq-always': 60_000,
  'bullmq-everysec': 60_000,
  'bullmq-postgres': 8_000,
  'pg-boss': 60_000,
  'graphile-worker': 60_000,
  'celery-redis': 5_000,
  'celery-db': 2_000,
  amqplib: 120_000,
}
const QUICK_SHARE = 0.05

export const drain: Measure = {
  systems: Object.keys(BACKLOG) as SystemName[],
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const tasks = Math.round((BACKLOG[system.name] ?? 1_000) * (setting.isQuick ? QUICK_SHARE : 1))
      await session.bulk(tasks)
      await session.settled()
      const cpuBefore = cpuNow(session.processes())
      await session.startWorker('backlog')
      // Both clocks at one moment, to tell the time of the end by the clock of the notes.
      const offset = nowMs() - performance.now()
      const ended = (await untilDone(session)) + offset
      const cpu = cpuSince(cpuBefore, session.processes(), tasks)
      const { firstStartAt } = await session.notes()
      return { tasks_per_s: (tasks / (ended - firstStartAt)) * 1_000, ...cpu, tasks }
    }),
}
