// Many tasks per call: 500 of them, 4 calls at a time. For Nightshift by HTTP, checked one by one; for libraries their
// own bulk insert, called without HTTP.
import { CALLED_IN_NODE } from '../systems/names.ts'
import { type Figures, type Measure, withSession } from './measure.ts'

export const batch: Measure = {
  systems: CALLED_IN_NODE,
  run: (system, setting) =>
    withSession(system, setting, async (session): Promise<Figures> => {
      const [warm, count] = setting.isQuick ? [1_000, 2_000] : [10_000, 60_000]
      await session.bulk(warm)
      const seconds = await session.bulk(count)
      const accepted = await session.accepted()
      if (accepted !== warm + count) throw new Error(`${warm + count} tasks were sent, ${accepted} are stored`)
      return { tasks_per_s: count / seconds }
    }),
}
