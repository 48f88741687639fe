/** `nightshift why <id>`: tells what became of a request, in a terminal. */
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { openDb } from '../store/db.ts'
import { contractsFor, keyedTasksOf } from '../types/contracts.ts'
import { type StoryJson, tellStory } from '../why/story.ts'
import type { TimelineEvent } from '../why/timeline.ts'
import { durationWords } from '../why/words.ts'
import { type Command, readArguments, say, UsageError } from './command.ts'

const USAGE = `nightshift why ID [--json]

Tells what became of everything that ID leads to: each task, what happened to it and when, and one sentence why it stands
where it stands. ID is one of
  a request id         the X-Request-Id of any answer, also of one that cancelled a task or sent it round again
  a task id            a UUID
  a trace id           32 hexadecimal digits
  an idempotency key   as it was sent, or as the task type makes it (of conversation.ended, the conversation_id)
  --json               the same as GET /api/v1/requests/ID answers

The sentence is made by rules from what is stored, and says so when that does not tell. It exits with 1 when nothing is found.`

/** So many tasks are told event by event; of the others the sentence alone. */
const MOST_TOLD = 10

export const command: Command = {
  summary: 'tell what became of a request, and why, by any of its ids',
  usage: USAGE,
  async run(words) {
    const { values, positionals } = readArguments(words, { json: { type: 'boolean' } })
    const [id, ...more] = positionals
    if (id === undefined || more.length > 0) throw new UsageError('say one id: nightshift why ID; --help tells which')
    const needed = ['databaseUrl', 'resultTtlMs', 'taskRetentionMs'] as const
    const { databaseUrl, resultTtlMs, taskRetentionMs } = readConfig(process.env, needed)
    const db = openDb({ url: databaseUrl, poolSize: 4, name: 'why', log: silentLog, queryTimeoutMs: 30_000 })
    try {
      // With the task types for trying out, whether or not they are on here: they may have been.
      const story = await tellStory({ db, resultTtlMs, keyedTasks: keyedTasksOf(contractsFor(true)) }, 'everybody', id)
      if (!story) {
        process.stderr.write(`${notFound(id, taskRetentionMs)}\n`)
        return 1
      }
      say(values.json ? JSON.stringify(story, null, 2) : textOf(story).join('\n'))
      return 0
    } finally {
      await db.close()
    }
  },
}

function notFound(id: string, retentionMs: number): string {
  const days = Math.round(retentionMs / 86_400_000)
  return `nothing is known by "${id}"
It was looked for as a request id, task id, trace id and idempotency key. Finished tasks are kept for ${days} days
(NIGHTSHIFT_TASK_RETENTION), idempotency keys for 24 hours. A request that was refused (4xx, 5xx) left no task: look for
its id in the log of the api.`
}

const FOUND_BY_WORDS: Readonly<Record<StoryJson['foundBy'][number], string>> = {
  request_id: 'the request that submitted it',
  operation: 'a request that cancelled it or sent it round again',
  task_id: 'a task id',
  trace_id: 'a trace id',
  idempotency_key: 'an idempotency key',
}

function textOf({ requestId, foundBy, traceIds, tasks, moreUrl }: StoryJson): string[] {
  const lines = [`${requestId}: ${foundBy.map((by) => FOUND_BY_WORDS[by]).join(', ')}`]
  for (const [index, task] of tasks.entries()) {
    lines.push('', `${task.name} ${task.id}: ${task.status}`, `  ${task.why}`)
    if (index >= MOST_TOLD) continue
    lines.push('', ...eventLines(task.timeline))
    if (task.requestId !== requestId) lines.push('', `  request ${task.requestId}`)
  }
  if (tasks.length > MOST_TOLD)
    lines.push('', `What happened is told of the first ${MOST_TOLD} only: --json has it all.`)
  if (moreUrl !== null) lines.push('', `There are more than ${tasks.length} tasks: GET ${moreUrl} lists them.`)
  return [...lines, '', `trace ${traceIds.join(' ')}`]
}

/** The moment of the first event in full; of the others how long after it. */
function eventLines(events: readonly TimelineEvent[]): string[] {
  const begin = Date.parse(events[0]?.at ?? '')
  return events.map(({ at, event, attempt, detail }, index) => {
    const when = index === 0 ? at : `+ ${durationWords(Date.parse(at) - begin)}`
    const what = `${event.replaceAll('_', ' ')}${attempt === undefined ? '' : ` (${attempt})`}`
    return `  ${when.padStart(24)}  ${what.padEnd(20)}  ${detail}`
  })
}
