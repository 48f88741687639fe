// An idle system, one task at a time: from the call to the start of its handler. Over HTTP (the POST is sent), and for
// libraries also without (the library is called), which is how their own figures are usually given.
import { generate } from '../load/generate.ts'
import { PAYLOAD_WITH_DUE } from '../load/payload.ts'
import { quantile } from '../statistics.ts'
import { CALLED_IN_NODE } from '../systems/names.ts'
import { type Figures, type Measure, untilDone, withSession } from './measure.ts'

const GAP_MS = 15

export const idle: Measure = {
  systems: CALLED_IN_NODE,
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const [warm, count] = setting.isQuick ? [10, 30] : [100, 300]
      const { url, bodyOf } = await session.startFront()
      await session.startWorker('steady')
      const body = JSON.stringify(bodyOf(PAYLOAD_WITH_DUE))
      const startsOf = async (call: (count: number) => Promise<unknown>): Promise<number[]> => {
        await call(warm)
        const before = (await session.notes()).startMs.length
        await call(count)
        await untilDone(session)
        return (await session.notes()).startMs.slice(before)
      }
      const http = await startsOf((times) => generate({ kind: 'single', url, body, count: times, gapMs: GAP_MS }))
      const { callSingly } = session
      const library = callSingly && (await startsOf((times) => callSingly(times, GAP_MS)))
      return { ...figuresOf('http', http), ...(library ? figuresOf('library', library) : {}) }
    }),
}

function figuresOf(way: string, ms: readonly number[]): Figures {
  return { [`${way}_start_p50_ms`]: quantile(ms, 0.5), [`${way}_start_p99_ms`]: quantile(ms, 0.99) }
}
