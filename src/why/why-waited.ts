/** Says what a task waited for: rules over facts, in the order of how surely each alone would have kept it waiting. Pure. */
import { z } from 'zod'
import { countWords, durationWords, numberWords, timesWords } from './words.ts'

const moment = z.iso.datetime()

/** What is shorter than this is how the machine works, and no answer to why. */
export const WORTH_SAYING_MS = 5_000

export const waitSchema = z.object({
  attempt: z.int().meta({ description: 'The attempt that it waited for.' }),
  from: moment,
  to: moment.meta({ description: 'When it ended; now, while it lasts.' }),
  isOver: z.boolean(),
  published: z.enum(['yes', 'no', 'unknown']),
  publishedAt: moment.nullable(),
  nextPublishAt: moment.nullable().meta({ description: 'While not published: when that is tried next.' }),
  refusals: z.int().meta({ description: 'How often the broker did not take its message, while not published.' }),
  reoffers: z.int(),
  ahead: z.int().nullable().meta({ description: 'How many stood before it: when it was accepted, or now.' }),
  crowd: z
    .object({ client: z.string(), share: z.number(), sampled: z.int() })
    .nullable()
    .meta({ description: 'Who sent most of those before it, and how many of them were looked at.' }),
  consumersBefore: z.int().meta({ description: 'Consumers of the queue alive when the wait began.' }),
  consumersAfter: z.int(),
  knowing: z.int().meta({ description: 'Those of consumersAfter that can run this task type.' }),
  firstConsumerAt: moment.nullable().meta({ description: 'When the first consumer came up within the wait.' }),
  absence: z
    .object({ process: z.string(), since: moment, until: moment, state: z.enum(['away', 'blocked']) })
    .nullable()
    .meta({ description: 'The longest time within the wait in which an api process could not publish.' }),
})
export type Wait = z.output<typeof waitSchema>

/** Says what the task waited for, as the rest of a sentence: `it waited 14 min behind 82 000 tasks, …`. */
export function waitedFor(wait: Wait, queue: string): string {
  const long = durationWords(lengthOf(wait))
  const reasons = reasonsOf(wait, queue)
  const behind = behindOf(wait)
  const verb = wait.isOver ? 'it waited' : 'it has waited'
  if (behind !== undefined) return [`${verb} ${long} behind ${behind}`, ...reasons].join(', and ')
  if (reasons.length === 0) return `${verb} ${long}, and the facts do not tell for what`
  return `${verb} ${long}: ${reasons.join(', and ')}`
}

export const lengthOf = ({ from, to }: Pick<Wait, 'from' | 'to'>): number => Date.parse(to) - Date.parse(from)

function reasonsOf(wait: Wait, queue: string): string[] {
  const reasons: string[] = []
  const late = publishedLate(wait)
  if (late !== undefined) reasons.push(late)
  if (wait.consumersBefore === 0) {
    if (wait.firstConsumerAt !== null) reasons.push(`no consumer of queue ${queue} lived until ${wait.firstConsumerAt}`)
    else if (wait.consumersAfter === 0) reasons.push(`no consumer of queue ${queue} ${wait.isOver ? 'lived' : 'lives'}`)
  } else if (!wait.isOver && wait.consumersAfter === 0) {
    reasons.push(`no consumer of queue ${queue} lives any more`)
  }
  if (wait.consumersAfter > 0 && wait.knowing === 0) reasons.push(unknownOf(wait, queue))
  if (wait.reoffers > 0) {
    reasons.push(`the broker had lost its message, which was offered again ${timesWords(wait.reoffers)}`)
  }
  return reasons
}

function unknownOf({ consumersAfter, nextPublishAt, published }: Wait, queue: string): string {
  const none = consumersAfter === 1 ? 'the one living consumer' : `none of the ${consumersAfter} living consumers`
  const knows = consumersAfter === 1 ? 'does not know' : 'knows'
  const again = published === 'no' && nextPublishAt !== null ? `, so it is offered again at ${nextPublishAt}` : ''
  return `${none} of queue ${queue} ${knows} this task type${again}`
}

function publishedLate(wait: Wait): string | undefined {
  if (wait.published === 'no') return notPublished(wait)
  const { from, publishedAt, absence } = wait
  if (publishedAt === null || Date.parse(publishedAt) - Date.parse(from) < WORTH_SAYING_MS) return undefined
  return `its message was published only at ${publishedAt}${absence ? `: ${absenceText(absence)}` : ', and the facts do not tell why'}`
}

function notPublished({ to, absence, refusals, nextPublishAt, knowing, consumersAfter }: Wait): string | undefined {
  if (refusals > 0)
    return `the broker did not take its message (refused or returned ${timesWords(refusals)}), tried next at ${nextPublishAt}`
  // What is due later does not wait for the broker. A consumer that does not know the task type put it off: said below.
  const isPutOff = nextPublishAt !== null && nextPublishAt > to
  if (isPutOff && consumersAfter > 0 && knowing === 0) return undefined
  if (absence !== null && !isPutOff) return `its message is not published: ${absenceText(absence)}`
  return `its message is not published, next at ${nextPublishAt}, and the facts do not tell why`
}

function absenceText({ state, since, process }: NonNullable<Wait['absence']>): string {
  const how = state === 'blocked' ? 'RabbitMQ took no messages' : 'RabbitMQ could not be reached'
  return `${how} since ${since}, as ${process} saw it`
}

/** Of a wait that is over, the gateway's figure of when it accepted the task, which counts what came since it last looked. */
function behindOf({ ahead, crowd, isOver }: Wait): string | undefined {
  if (ahead === null || ahead === 0) return undefined
  const tasks = `${isOver ? 'up to ' : ''}${countWords(ahead, 'task')}`
  if (crowd === null) return tasks
  const percent = Math.round(crowd.share * 100)
  const of = crowd.sampled >= ahead ? 'of them' : `of the last ${numberWords(crowd.sampled)} of them`
  return `${tasks}, ${percent} % ${of} from ${crowd.client}`
}
