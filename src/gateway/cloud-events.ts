/** Tasks asked for as CloudEvents 1.0 in structured mode: one event is one task of the type that it names, its data the payload. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { invalid, parseInput } from '../http/input.ts'
import type { Form } from './forms.ts'
import { IDEMPOTENCY_KEY, type Submission } from './schemas.ts'

export const CLOUD_EVENT = 'application/cloudevents+json'
export const CLOUD_EVENTS = 'application/cloudevents-batch+json'

const attribute = z.string().min(1).max(2_000)

/** Attributes of which we know nothing are allowed: an event is often made for others too. */
export const cloudEventSchema = z.looseObject({
  specversion: z.literal('1.0'),
  id: attribute.meta({ description: 'With `source` it is the idempotency key: the same event twice is one task.' }),
  source: attribute.meta({ description: 'A URI reference that names who tells of it.' }),
  type: attribute.max(100).meta({ description: 'The task type.' }),
  datacontenttype: z
    .string()
    .regex(/^application\/(?:[\w.+-]+\+)?json\s*(?:;.*)?$/i, 'must be JSON, such as application/json')
    .optional(),
  data: z.unknown().optional().meta({ description: 'What the task type asks for; stored as it is sent. Not null.' }),
})

/**
 * Reads a task from an event. Other attributes of the event are not kept.
 * @param task the only type that is taken; without it any
 */
export function cloudEventOf(task?: string): Form {
  return {
    submissionOf: (sent) => submissionOf(sent, task),
    keyOf,
    payloadAt: '/data',
    nameAt: '/type',
    task,
  }
}

function submissionOf(sent: unknown, task: string | undefined): Submission {
  const event = parseInput(cloudEventSchema, sent)
  if ('data_base64' in event) {
    throw invalid([{ pointer: '/data_base64', detail: 'is not read: send the payload as JSON in `data`' }])
  }
  if (task !== undefined && event.type !== task) {
    const detail = `must be ${task} here; POST /api/v1/tasks takes events of every task type`
    throw invalid([{ pointer: '/type', detail }])
  }
  return { name: event.type, payload: event.data }
}

/** Of an event that has been read: source and id together are unique for each event, says the standard. */
function keyOf(sent: unknown): string {
  const { source, id } = sent as { readonly source: string; readonly id: string }
  // The last `#` divides them, since encoding leaves none in the id: no two pairs make one key.
  const key = `${source}#${encodeURIComponent(id.toWellFormed())}`
  return IDEMPOTENCY_KEY.test(key)
    ? key
    : `sha256-${createHash('sha256')
        .update(JSON.stringify([source, id]))
        .digest('hex')}`
}
