/** `nightshift bursts`: shows which client asked for how much. */
import { Option } from 'commander'
import type { Since } from '../core/since.ts'
import { say, sayJson } from '../runtime/terminal.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { readBursts } from '../store/upkeep/bursts.ts'
import { asJson, type Define, readSince, withDatabase } from './command.ts'

const MOST_ROWS = 50

export const define: Define = (nightshift) => {
  nightshift
    .command('bursts')
    .summary('show which client sent how much, the largest first')
    .description(
      'Sums up what every client asked of every task type: accepted, refused with 429, and its largest ten seconds.',
    )
    .addOption(
      new Option('--since <when>', 'a time such as 2026-01-31T03:00:00Z, or how long ago, such as 2h; kept for a day')
        .argParser(readSince)
        .default(undefined, '1h'),
    )
    .addOption(asJson())
    .addHelpText('after', '\nExamples:\n  nightshift bursts --since 2h\n  nightshift bursts --json')
    .action(({ since = readSince('1h'), json }: { since?: Since; json?: true }) => show(since, json === true))
}

async function show(asked: Since, json: boolean): Promise<void> {
  const { since, sums } = await withDatabase({ name: 'bursts' }, async (db) => {
    const from = asked(await databaseTime(db))
    return { since: from, sums: await readBursts(db, from, MOST_ROWS) }
  })
  if (json) return sayJson({ since, bursts: sums })
  if (sums.length === 0) return say(`no requests since ${since.toISOString()}`)
  say(`${['accepted', 'refused', 'peak/10s'].map((head) => head.padStart(10)).join('')}  client  task  (peak at)`)
  for (const { accepted, refused, peak, peakAt, client, task } of sums) {
    const numbers = [accepted, refused, peak].map((count) => String(count).padStart(10)).join('')
    say(`${numbers}  ${client}  ${task}  (${peakAt.toISOString()})`)
  }
}
