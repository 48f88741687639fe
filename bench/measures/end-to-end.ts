// The whole way: POST one task per request, 64 in flight, until everything accepted is recorded as done. The same runs
// say what a task costs: CPU seconds of every process of the system per 1 000 tasks, its servers included.
import { cpuNow, cpuSince } from '../cpu.ts'
import { closedLoad } from '../load/wrk.ts'
import { CALLED_IN_NODE } from '../systems/names.ts'
import { type Figures, type Measure, untilDone, withSession } from './measure.ts'

const IN_FLIGHT = 64

export const endToEnd: Measure = {
  systems: [...CALLED_IN_NODE, 'celery-redis', 'celery-db'],
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const target = await session.startFront()
      await session.startWorker('steady')
      await closedLoad({ target, inFlight: IN_FLIGHT, seconds: setting.isQuick ? 1 : 5 })
      await untilDone(session)

      const before = await session.accepted()
      const cpuBefore = cpuNow(session.processes())
      const begun = performance.now()
      const load = await closedLoad({ target, inFlight: IN_FLIGHT, seconds: setting.isQuick ? 1 : 6 })
      const ended = await untilDone(session)
      const tasks = (await session.accepted()) - before
      const cpu = cpuSince(cpuBefore, session.processes(), tasks)

      if (load.refused > 0 || tasks < load.answered) {
        throw new Error(`${load.refused} requests were refused; ${load.answered} answered, ${tasks} tasks stored`)
      }
      return {
        tasks_per_s: (tasks / (ended - begun)) * 1_000,
        ...cpu,
        accept_p50_ms: load.p50,
        accept_p99_ms: load.p99,
        tasks,
      }
    }),
}
