// Accepting alone: 64 requests in flight, no consumer. The echo does the least that any HTTP front on express does.
import { cpuNow, cpuSince } from '../cpu.ts'
import { closedLoad } from '../load/wrk.ts'
import { CALLED_IN_NODE } from '../systems/names.ts'
import { type Figures, type Measure, withSession } from './measure.ts'

export const gateway: Measure = {
  systems: [...CALLED_IN_NODE, 'express'],
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const target = await session.startFront()
      await closedLoad({ target, inFlight: 64, seconds: setting.isQuick ? 1 : 5 })
      const seconds = setting.isQuick ? 1 : 5
      const before = cpuNow(session.processes())
      const load = await closedLoad({ target, inFlight: 64, seconds })
      if (load.refused > 0) throw new Error(`${load.refused} requests were refused`)
      const cpu = cpuSince(before, session.processes(), load.answered)
      return { requests_per_s: load.answered / seconds, ...cpu, p50_ms: load.p50, p99_ms: load.p99 }
    }),
}
