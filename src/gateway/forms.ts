/** The forms in which a task can be asked for: a submission, an item of a batch, a payload alone on a pack's route. */
import { parseInput } from '../http/input.ts'
import { batchItemSchema, type Submission, submissionSchema } from './schemas.ts'

export interface Form {
  /** Reads what was sent. @throws Problem invalid-input */
  submissionOf(sent: unknown): Submission
  /** JSON Pointer of the payload in what was sent. */
  readonly payloadAt: string
  /** JSON Pointer of the name of the task type in what was sent. */
  readonly nameAt: '/name' | '/type'
  /** Makes an idempotency key of what was sent, once it has been read, for a client that gave none. */
  readonly keyOf?: (sent: unknown) => string
  /** The task type, where the form alone tells it. */
  readonly task: string | undefined
}

export const SUBMISSION: Form = {
  submissionOf: (sent) => plainSubmissionOf(sent) ?? parseInput(submissionSchema, sent),
  payloadAt: '/payload',
  nameAt: '/name',
  task: undefined,
}

/** Its key is read apart, so that it can be told of an item that does not fit. */
export const BATCH_ITEM: Form = {
  submissionOf(sent) {
    const plain = plainSubmissionOf(sent)
    if (plain) return plain
    const { key: _, ...submission } = parseInput(batchItemSchema, sent)
    return submission
  },
  payloadAt: '/payload',
  nameAt: '/name',
  task: undefined,
}

/** The whole body is the payload. */
export function payloadOf(task: string): Form {
  return { submissionOf: (payload) => ({ name: task, payload }), payloadAt: '', nameAt: '/name', task }
}

const LONGEST_NAME = 100

/** Reads a submission of name and payload alone without its schema, which says nothing else of these two. */
function plainSubmissionOf(sent: unknown): Submission | undefined {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) return undefined
  const { name, payload, ...others } = sent as Record<string, unknown>
  if (typeof name !== 'string' || name === '' || name.length > LONGEST_NAME) return undefined
  for (const _ in others) return undefined
  return { name, payload }
}
