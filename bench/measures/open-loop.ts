// 2 000 requests a second whatever comes back, as clients do who do not know of each other. Latencies count from when a
// request was due, so a pause of the server is not hidden by fewer requests. Done is the commit that records the end;
// for BullMQ the moment its worker notes just before it writes (`finishedOn`), which is a little kinder.
import { generate } from '../load/generate.ts'
import { PAYLOAD_WITH_DUE } from '../load/payload.ts'
import { quantile } from '../statistics.ts'
import { type Figures, type Measure, untilDone, withSession } from './measure.ts'

const PER_SECOND = 2_000

export const openLoop: Measure = {
  systems: ['nightshift', 'bullmq-always', 'bullmq-everysec', 'amqplib'],
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const { url, bodyOf } = await session.startFront()
      await session.startWorker('steady')
      const body = JSON.stringify(bodyOf(PAYLOAD_WITH_DUE))
      const run = (seconds: number) => generate({ kind: 'open', url, body, perSecond: PER_SECOND, seconds })
      await run(setting.isQuick ? 1 : 8)
      await untilDone(session)

      const startsBefore = (await session.notes()).startMs.length
      const recordedBefore = (await session.recordedMs())?.length ?? 0
      const load = await run(setting.isQuick ? 1 : 6)
      await untilDone(session)
      if (load.refused > 0) throw new Error(`${load.refused} requests were refused`)
      const starts = (await session.notes()).startMs.slice(startsBefore)
      const recorded = (await session.recordedMs())?.slice(recordedBefore)
      return {
        accept_p50_ms: load.p50,
        accept_p99_ms: load.p99,
        start_p50_ms: quantile(starts, 0.5),
        start_p99_ms: quantile(starts, 0.99),
        ...(recorded ? { done_p50_ms: quantile(recorded, 0.5), done_p99_ms: quantile(recorded, 0.99) } : {}),
      }
    }),
}
