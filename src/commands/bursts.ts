/** `nightshift bursts`: shows who asked for how much. */
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { openDb } from '../store/db.ts'
import { readBursts } from '../store/upkeep/bursts.ts'
import { type Command, readArguments, readMoment, say } from './command.ts'

export const command: Command = {
  summary: 'show who asked for how much, the largest first',
  usage: `nightshift bursts [--since WHEN]

Sums up what every client asked of every task: accepted, refused with 429, and the largest ten seconds.
  --since WHEN    a time such as 2026-01-31T03:00:00Z, or how long ago such as 2h; default 1h, kept for a day`,
  async run(words) {
    const { values } = readArguments(words, { since: { type: 'string' } })
    const since = readMoment('since', values.since ?? '1h') as Date
    const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
    const db = openDb({ url: databaseUrl, poolSize: 1, name: 'bursts', log: silentLog })
    try {
      const sums = await readBursts(db, since, 50)
      if (sums.length === 0) say(`nobody asked for anything since ${since.toISOString()}`)
      else say(`${'accepted'.padStart(10)}${'refused'.padStart(10)}${'peak/10s'.padStart(10)}  client  task  (peak at)`)
      for (const { accepted, refused, peak, peakAt, client, task } of sums) {
        const numbers = [accepted, refused, peak].map((count) => String(count).padStart(10)).join('')
        say(`${numbers}  ${client}  ${task}  (${peakAt.toISOString()})`)
      }
      return 0
    } finally {
      await db.close()
    }
  },
}
