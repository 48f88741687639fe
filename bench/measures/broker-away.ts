// The 202 with RabbitMQ running, then stopped, at the same open rate; then RabbitMQ is started again and every task that
// was accepted must end as SUCCESS, each once, counted by SQL.
import { generate } from '../load/generate.ts'
import { PAYLOAD_WITH_DUE } from '../load/payload.ts'
import { type Figures, type Measure, untilDone, withSession } from './measure.ts'

const PER_SECOND = 1_000

export const brokerAway: Measure = {
  systems: ['nightshift'],
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const rabbitmq = await setting.servers.rabbitmq()
      const { url, bodyOf } = await session.startFront()
      await session.startWorker('steady')
      const body = JSON.stringify(bodyOf(PAYLOAD_WITH_DUE))
      const run = (seconds: number) => generate({ kind: 'open', url, body, perSecond: PER_SECOND, seconds })
      await run(2)
      const seconds = setting.isQuick ? 1 : 6
      const running = await run(seconds)
      await untilDone(session)
      const before = await session.accepted()

      await rabbitmq.stop()
      let stopped: Awaited<ReturnType<typeof run>>
      try {
        stopped = await run(seconds)
      } finally {
        await rabbitmq.start()
      }
      const back = performance.now()
      const ended = await untilDone(session)
      const accepted = (await session.accepted()) - before
      if (accepted !== stopped.answered)
        throw new Error(`${stopped.answered} were answered 202, ${accepted} are stored`)
      return {
        running_p50_ms: running.p50,
        running_p99_ms: running.p99,
        running_refused: running.refused,
        stopped_p50_ms: stopped.p50,
        stopped_p99_ms: stopped.p99,
        stopped_refused: stopped.refused,
        accepted_while_stopped: accepted,
        all_done_after_s: (ended - back) / 1_000,
      }
    }),
}
