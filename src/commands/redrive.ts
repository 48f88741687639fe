/** `nightshift redrive`: sends FAILED tasks round again. */
import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { openDb, type Queryable } from '../store/db.ts'
import {
  type Actor,
  type DeadLetterFilter,
  groupDeadLetters,
  listDeadLetters,
  redriveTasks,
} from '../store/moves/operate.ts'
import { databaseTime } from '../store/reads/health.ts'
import { type Command, readArguments, say, UsageError } from './command.ts'
import { FILTER_OPTIONS, FILTER_USAGE, readFilter } from './dead-letter-filter.ts'

const USAGE = `nightshift redrive [filter] [--dry-run] [--all] [--rate N] [--reason-text TEXT]

Sends FAILED tasks round again, oldest failure first; attempts, history and ids stay, charges begin at 0. Only what had
failed when the command began is sent, so a task that fails again is not sent twice.
  --dry-run             only say what would be sent
  --all                 needed when no filter is given
  --rate N              at most N tasks a second, 1 to 1000; default 50, so that the door stays open for new tasks
  --reason-text TEXT    why, for the record
${FILTER_USAGE}`

function readRate(text: string | undefined): number {
  const rate = Number(text ?? '50')
  if (!Number.isInteger(rate) || rate < 1 || rate > 1_000)
    throw new UsageError('--rate takes a whole number from 1 to 1000')
  return rate
}

async function preview(db: Queryable, filter: DeadLetterFilter): Promise<number> {
  const groups = await groupDeadLetters(db, filter)
  for (const { tasks, name, error, fingerprint } of groups)
    say(`${String(tasks).padStart(8)}  ${fingerprint}  ${name}  ${error}`)
  return groups.reduce((sum, { tasks }) => sum + tasks, 0)
}

/** Sends in bites of a tenth of a second. A second run goes on where an interrupted one stopped. */
async function send(
  db: Queryable,
  filter: DeadLetterFilter,
  rate: number,
  actor: Actor,
  total: number,
): Promise<number> {
  let sent = 0
  let saidAt = Date.now()
  const began = performance.now()
  for (;;) {
    const bite = Math.max(1, Math.ceil(rate / 10))
    const letters = await listDeadLetters(db, filter, bite)
    if (letters.length === 0) return sent
    const gone = await redriveTasks(
      db,
      'everybody',
      letters.map(({ id }) => id),
      actor,
    )
    sent += gone.length
    if (Date.now() - saidAt > 5_000) {
      saidAt = Date.now()
      say(`${sent} of ${total} sent`)
    }
    await sleep(Math.max(0, (sent / rate) * 1_000 - (performance.now() - began)))
  }
}

export const command: Command = {
  summary: 'send FAILED tasks round again, by filter and at a rate',
  usage: USAGE,
  async run(words) {
    const { values } = readArguments(words, {
      ...FILTER_OPTIONS,
      'dry-run': { type: 'boolean' },
      all: { type: 'boolean' },
      rate: { type: 'string' },
      'reason-text': { type: 'string' },
    })
    const rate = readRate(values.rate)
    const given = readFilter(values)
    if (Object.keys(given).length === 0 && !values.all && !values['dry-run']) {
      throw new UsageError('no filter is given: narrow it down, or say --all')
    }
    const { databaseUrl } = readConfig(process.env, ['databaseUrl'])
    const db = openDb({ url: databaseUrl, poolSize: 1, name: 'redrive', log: silentLog, queryTimeoutMs: 60_000 })
    try {
      const filter = { ...given, failedBefore: await databaseTime(db) }
      const total = await preview(db, filter)
      if (values['dry-run']) {
        say(`${total} tasks would be sent, at ${rate}/s in about ${Math.ceil(total / rate)} s`)
        return 0
      }
      const actor = {
        name: `cli:${userInfo().username}`,
        requestId: randomUUID(),
        reason: values['reason-text'] ?? null,
      }
      const sent = await send(db, filter, rate, actor, total)
      say(`${sent} tasks sent round again`)
      return 0
    } finally {
      await db.close()
    }
  },
}
