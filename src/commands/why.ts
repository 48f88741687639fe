/** `nightshift why <id>`: tells what became of a request, in a terminal. */
import { keyedTasksOf } from '../core/task-types.ts'
import { readConfig } from '../runtime/config.ts'
import { complain, linesOf, say, sayJson } from '../runtime/terminal.ts'
import { loadPacks } from '../types/packs.ts'
import { type StoryJson, tellStory } from '../why/story.ts'
import type { TimelineEvent } from '../why/timeline.ts'
import { durationWords } from '../why/words.ts'
import { asJson, type Define, withDatabase } from './command.ts'

/** So many tasks are told event by event; of the others the sentence alone. */
const MOST_TOLD = 10

const NEEDED = ['packs', 'resultTtlMs', 'taskRetentionMs'] as const

export const define: Define = (nightshift) => {
  nightshift
    .command('why')
    .summary('tell what became of a request, and why')
    .description('Tells what became of everything that an id leads to: each task, its timeline, and one sentence why.')
    .argument(
      '<id>',
      'request id (X-Request-Id of any answer), task id, trace id, or idempotency key as sent or as derived by the task type',
    )
    .addOption(asJson())
    .addHelpText(
      'after',
      `
The sentence is made by rules from stored facts, and says so when they do not tell. docs/why.md has the rules.
Exit codes: 0 found, 1 nothing found.

Examples:
  nightshift why order-17
  nightshift why 01a201c2-afe3-7034-921e-2b3f225f06ac --json`,
    )
    .action((id: string, { json }: { json?: true }) => tell(id, json === true))
}

async function tell(id: string, json: boolean): Promise<void> {
  const { packs, resultTtlMs, taskRetentionMs } = readConfig(process.env, NEEDED)
  const keyedTasks = keyedTasksOf((await loadPacks(packs)).contracts)
  const story = await withDatabase({ name: 'why', poolSize: 4, queryTimeoutMs: 30_000 }, (db) =>
    tellStory({ db, resultTtlMs, keyedTasks }, 'everybody', id),
  )
  if (story) return json ? sayJson(story) : say(...textOf(story))
  complain(...linesOf(notFound(id, taskRetentionMs)))
  process.exitCode = 1
}

function notFound(id: string, retentionMs: number): string {
  const days = Math.round(retentionMs / 86_400_000)
  return `no task found for "${id}"
Searched as request id, task id, trace id and idempotency key. Finished tasks are kept for ${days} days
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
